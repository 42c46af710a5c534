import { expect, it } from "vitest";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { tlsOptionsOf } from "./tls.ts";

it.each(["opportunistic", "required", "verified"] as const)(
  "%s: TLS names the host that it wants, unless that is an address, which TLS cannot name",
  (tls) => {
    expect(tlsOptionsOf({ tls, host: "mx.example.com" })).toMatchObject({ tls: { servername: "mx.example.com" } });
    for (const host of ["192.0.2.1", "2001:db8::1"]) {
      const options = tlsOptionsOf({ tls, host });
      expect(options).not.toHaveProperty("servername");
      expect(options).not.toHaveProperty("tls.servername");
    }
  },
);

it("never: port 465 is spoken to in clear too", () => {
  const options = { ...tlsOptionsOf({ tls: "never", host: "relay.example.com" }), port: 465 };
  expect(new SMTPConnection(options)).toMatchObject({ secureConnection: false });
});
