import { describe, expect, it } from "vitest";
import { mailFilter } from "./mail-search.ts";

describe("a search finds by either spelling", () => {
  it.each(["Box@Müller.example", "box@XN--mller-kva.example", '"box"@müller.example'])("an address: %s", (address) => {
    const spelling = "box@xn--mller-kva.example";
    expect(mailFilter({ recipient: address, sender: address })).toEqual({
      $and: [{ recipient: spelling }, { sender: spelling }],
    });
  });

  it("an address as push notifications show it, with its name, and what is no address as it was given", () => {
    expect(mailFilter({ recipient: '"A, B" <box@example.com>', sender: "Box <BOX@example.com>" })).toEqual({
      $and: [{ recipient: "box@example.com" }, { sender: "box@example.com" }],
    });
    expect(mailFilter({ recipient: "A <no address>" })).toEqual({ $and: [{ recipient: "a <no address>" }] });
  });

  it.each(["Relais.Müller.example", "relais.xn--mller-kva.example"])("a relay: %s", (route) => {
    expect(mailFilter({ route })).toMatchObject({ $and: [{ relay: "relais.xn--mller-kva.example" }] });
  });
});

it("finds no mail of a relay that left it for the default route", () => {
  expect(mailFilter({ route: "relay.example.net" })).toMatchObject({ $and: [{ route: "relay" }] });
});
