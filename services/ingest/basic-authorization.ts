// HTTP Basic (RFC 7617): the account and its password in an Authorization header.

/** Undefined where there are none. A password may hold colons, a name may not. */
export function readBasic(header: string | undefined): { account: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1 ? undefined : { account: text.slice(0, colon), password: text.slice(colon + 1) };
}
