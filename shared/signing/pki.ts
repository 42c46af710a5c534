// The libraries for ASN.1 structures, loaded when a certificate is first read: few installations sign messages, and they
// would cost router and delivery 4 MB each.
import { createRequire } from "node:module";
import type * as Asn1 from "asn1js";
import type * as Pki from "pkijs";

const load = createRequire(import.meta.url);

export const pki = (): typeof Pki => load("pkijs") as typeof Pki;
export const asn1 = (): typeof Asn1 => load("asn1js") as typeof Asn1;
