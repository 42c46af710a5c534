import { beforeAll, describe, expect, it } from "vitest";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import { aConfiguration } from "#test/support/build-mail.ts";
import { issueCertificate } from "#test/support/signing-certificate.ts";
import { createSigningRule } from "./signing-rule.ts";

let certificate = "";
beforeAll(async () => {
  ({ certificate } = await issueCertificate({ address: "Box@xn--mller-kva.example" }));
});

const head = (sender: string, messageSigning?: boolean) => ({
  account: "acme",
  sender,
  ...(messageSigning === undefined ? {} : { messageSigning }),
});

function isToBeSigned(domain: Partial<SenderDomain>, question: ReturnType<typeof head>): boolean {
  const stored: SenderDomain = {
    _id: "acme/xn--mller-kva.example",
    account: "acme",
    domain: "xn--mller-kva.example",
    messageSigning: true,
    signing: { certificate, privateKey: "sealed" },
    ...domain,
  };
  return createSigningRule().domainFor(question, aConfiguration({ domains: [stored] })) === stored;
}

describe("is to be signed", () => {
  it.each(["box@müller.example", "BOX@MÜLLER.example", "box@xn--mller-kva.example", '"box"@müller.example'])(
    "the sender that the certificate covers, as %s",
    (sender) => expect(isToBeSigned({}, head(sender))).toBe(true),
  );
  it("what its job asks for, and what it says nothing of", () => {
    expect(isToBeSigned({}, head("box@müller.example", true))).toBe(true);
  });
  it("everything of a domain whose certificate cannot be read: nothing of it is sent", () => {
    const broken = { signing: { certificate: "no PEM", privateKey: "" } };
    expect(isToBeSigned(broken, head("any@müller.example"))).toBe(true);
  });
});

describe("goes as it is", () => {
  it("another sender of the domain", () => expect(isToBeSigned({}, head("other@müller.example"))).toBe(false));
  it("another domain", () => expect(isToBeSigned({}, head("box@other.example"))).toBe(false));
  it("what its job switches off", () => expect(isToBeSigned({}, head("box@müller.example", false))).toBe(false));
  it("a domain that does not sign, whatever its job asks for", () => {
    expect(isToBeSigned({ messageSigning: false }, head("box@müller.example", true))).toBe(false);
  });
});
