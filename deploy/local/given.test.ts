import { expect, it } from "vitest";
import { readAmqpUrl, readMongodbUri } from "./given.ts";

it.each([
  [readAmqpUrl, undefined, { kind: "none" }],
  [readMongodbUri, "", { kind: "none" }],
  [readAmqpUrl, "amqp://a", { kind: "given", places: [{ host: "a", port: 5672 }] }],
  [
    readAmqpUrl,
    "amqps://u:p@a/vhost, amqp://[::1]:5673",
    {
      kind: "given",
      places: [
        { host: "a", port: 5671 },
        { host: "::1", port: 5673 },
      ],
    },
  ],
  [readAmqpUrl, "amqp://a,", { kind: "given", places: [{ host: "a", port: 5672 }] }],
  [readAmqpUrl, "http://a", { kind: "wrong", problem: expect.stringMatching(/^AMQP_URL is not valid/) as string }],
  [
    readMongodbUri,
    "mongodb://u:p@a,b:1,[::1]:2/waypost?replicaSet=r",
    {
      kind: "given",
      places: [
        { host: "a", port: 27017 },
        { host: "b", port: 1 },
        { host: "::1", port: 2 },
      ],
    },
  ],
  [readMongodbUri, "mongodb+srv://cluster.example/waypost", { kind: "given", places: [] }],
  [readMongodbUri, "a:27017", { kind: "wrong", problem: expect.stringMatching(/^MONGODB_URI is not valid/) as string }],
] as const)("%s %s", (read, text, expected) => {
  expect(read(text)).toEqual(expected);
});
