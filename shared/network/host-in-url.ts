// An address as a URL has it, IPv6 in brackets (RFC 3986 §3.2.2), and back.
export const hostInUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Names and IPv4 addresses as they are. */
export const hostOutOfUrl = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");
