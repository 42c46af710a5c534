// Secrets at rest and on the way: AES-256-GCM under WAYPOST_SECRET_KEY (design, Content and secrets that travel).
// A sealed text is `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { WaypostError } from "#shared/errors.ts";

export interface Sealer {
  seal(clear: string): string;
  /** Throws WaypostError SECRET_UNREADABLE (not retriable) when no known key opens it. */
  open(sealed: string): string;
  /** Sealed under the key of now, not under the one before a rotation. */
  isCurrent(sealed: string): boolean;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function keyIdOf(key: Buffer): string {
  return createHash("sha256").update("waypost key id").update(key).digest("base64url").slice(0, 8);
}

function unreadable(cause?: unknown): WaypostError {
  return new WaypostError("SECRET_UNREADABLE", "no known WAYPOST_SECRET_KEY opens this secret", {
    retriable: false,
    cause,
  });
}

/** Seals under `key`; opens what was sealed under `key` or `previous`. Both are 32 bytes. */
export function createSealer(key: Buffer, previous?: Buffer): Sealer {
  const keys = new Map([key, ...(previous === undefined ? [] : [previous])].map((item) => [keyIdOf(item), item]));
  return {
    seal: (clear) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const sealed = Buffer.concat([cipher.update(clear, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return ["v1", keyIdOf(key), nonce.toString("base64url"), sealed.toString("base64url")].join(".");
    },
    isCurrent: (sealed) => sealed.split(".")[1] === keyIdOf(key),
    open: (sealed) => {
      const [version, keyId, nonce, body] = sealed.split(".");
      const found = keys.get(keyId ?? "");
      if (version !== "v1" || found === undefined || nonce === undefined || body === undefined) throw unreadable();
      const bytes = Buffer.from(body, "base64url");
      const decipher = createDecipheriv("aes-256-gcm", found, Buffer.from(nonce, "base64url"));
      try {
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
      } catch (error) {
        throw unreadable(error);
      }
    },
  };
}
