import { expect, it } from "vitest";
import { createClient, mistakeOfUri } from "./client.ts";

it.each([
  ["mongodb://db/mails", "mails"],
  ["mongodb://u:pass,word@a,b:1/mails?authSource=admin", "mails"],
  ["mongodb://db/ma%69ls", "mails"],
  ["mongodb://db/mails\n", "mails"],
  ["mongodb://db/test", "test"],
  ["mongodb://db", "waypost"],
  ["mongodb://db/", "waypost"],
  ["mongodb://a,b?replicaSet=r", "waypost"],
  ["mongodb+srv://u:p@cluster.example/?authSource=admin", "waypost"],
])("keeps the data of %s in the database %s", (uri, database) => {
  expect(createClient(uri).db.databaseName).toBe(database);
});

it.each(["mongodb://db/my mails", "mongodb://db/my%20mails", "mongodb://db/$mails", `mongodb://db/${"m".repeat(64)}`])(
  "says of %s that MongoDB has no such database",
  (uri) => {
    expect(mistakeOfUri(uri)).toContain("whose database is named without");
  },
);
