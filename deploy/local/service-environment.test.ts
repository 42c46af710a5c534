import { expect, it } from "vitest";
import { whatIsSet } from "./service-environment.ts";

it("keeps what npm start sets where the environment has an empty variable of that name", () => {
  const own = { WAYPOST_ADMIN_TOKEN: "made", WAYPOST_SECRET_KEY: "made" };
  const given = { WAYPOST_ADMIN_TOKEN: "", WAYPOST_SECRET_KEY: "set", WAYPOST_RETENTION: "1d" };
  expect({ ...own, ...whatIsSet(given) }).toEqual({
    WAYPOST_ADMIN_TOKEN: "made",
    WAYPOST_SECRET_KEY: "set",
    WAYPOST_RETENTION: "1d",
  });
});
