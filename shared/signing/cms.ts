// A detached CMS signature (RFC 5652) as S/MIME needs it (RFC 8551): SHA-256, signed attributes, the chain included.
import type { webcrypto } from "node:crypto";
import { createPrivateKey } from "node:crypto";
import type { BaseBlock } from "asn1js";
import type { Attribute, SignedAndUnsignedAttributes } from "pkijs";
import type { SigningMaterial } from "./certificate.ts";
import { readChain, signingAlgorithmOf } from "./certificate.ts";
import { asn1, pki } from "./pki.ts";

const OID = {
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
} as const;

export interface Signer {
  /** The DER of a SignedData over content with this SHA-256 digest. */
  sign(digest: Buffer, at: Date): Promise<Buffer>;
}

function importKey(pem: string): webcrypto.CryptoKey {
  const key = createPrivateKey(pem);
  const algorithm = signingAlgorithmOf(key);
  if (algorithm === undefined) throw new TypeError("no key that can sign in the signing material");
  return key.toCryptoKey(algorithm, false, ["sign"]);
}

/** The attributes that are signed in place of the content, in DER order of a SET OF. */
function signedAttributes(digest: Buffer, at: Date): SignedAndUnsignedAttributes {
  const asn1js = asn1();
  const pkijs = pki();
  const attribute = (type: string, value: BaseBlock): Attribute => new pkijs.Attribute({ type, values: [value] });
  return new pkijs.SignedAndUnsignedAttributes({
    type: 0,
    attributes: [
      attribute(OID.contentType, new asn1js.ObjectIdentifier({ value: OID.data })),
      attribute(OID.signingTime, new asn1js.UTCTime({ valueDate: at })),
      attribute(OID.messageDigest, new asn1js.OctetString({ valueHex: new Uint8Array(digest).buffer })),
    ],
  });
}

/** Reads key and chain once; every signature after that is one private-key operation. Throws where they cannot be read. */
export function createSigner(material: SigningMaterial): Signer {
  const pkijs = pki();
  const key = importKey(material.privateKey);
  const chain = readChain(material.certificate).map((item) =>
    pkijs.Certificate.fromBER(new Uint8Array(item.raw).buffer),
  );
  const [leaf] = chain;
  if (leaf === undefined) throw new TypeError("no certificate in the signing material");
  return {
    sign: async (digest, at) => {
      const signedData = new pkijs.SignedData({
        version: 1,
        encapContentInfo: new pkijs.EncapsulatedContentInfo({ eContentType: OID.data }),
        certificates: chain,
        signerInfos: [
          new pkijs.SignerInfo({
            version: 1,
            sid: new pkijs.IssuerAndSerialNumber({ issuer: leaf.issuer, serialNumber: leaf.serialNumber }),
            signedAttrs: signedAttributes(digest, at),
          }),
        ],
      });
      await signedData.sign(key, 0, "SHA-256");
      const wrapped = new pkijs.ContentInfo({ contentType: OID.signedData, content: signedData.toSchema(true) });
      return Buffer.from(wrapped.toSchema().toBER());
    },
  };
}
