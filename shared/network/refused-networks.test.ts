import { describe, expect, it } from "vitest";
import { createAddressCheck } from "./refused-networks.ts";

describe("the networks that are refused", () => {
  const isAllowed = createAddressCheck([]);

  it.each([
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.0.192",
    "::",
    "::1",
    "[::1]",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:1:2:3:4:80ff:fffe",
    "no address",
    "",
  ])("refuses %s", (address) => {
    expect(isAllowed(address)).toBe(false);
  });

  it.each(["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"])(
    "allows %s",
    (address) => {
      expect(isAllowed(address)).toBe(true);
    },
  );

  it("allows a listed network in every notation, and no other", () => {
    const check = createAddressCheck(["127.0.0.0/8", "fd00::/8"]);
    expect(["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "fd00::1"].map(check)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(["10.0.0.1", "::1", "169.254.169.254"].map(check)).toEqual([false, false, false]);
  });
});
