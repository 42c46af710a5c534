import { expect, it } from "vitest";
import { localEnvironment } from "./service-environment.ts";

const local = {
  amqpUrl: "amqp://here",
  mongodbUri: "mongodb://here",
  adminToken: "made",
  secretKey: "made",
  demoHost: "mail.demo.example",
};

it("keeps what npm start sets where the environment has an empty variable of that name", () => {
  const given = { WAYPOST_ADMIN_TOKEN: "", WAYPOST_SECRET_KEY: "set", WAYPOST_STATIC_HOSTS: "", AMQP_URL: "" };
  expect(localEnvironment(given, local)).toEqual({
    WAYPOST_DRAIN_SECONDS: "5",
    WAYPOST_ADMIN_TOKEN: "made",
    WAYPOST_SECRET_KEY: "set",
    WAYPOST_ALLOW_NETWORKS: "127.0.0.0/8,::1/128",
    WAYPOST_STATIC_HOSTS: "mail.demo.example=127.0.0.1",
    AMQP_URL: "amqp://here",
    MONGODB_URI: "mongodb://here",
  });
});

it("lets the demo be found and reached beside the hosts and networks that are set", () => {
  const given = { WAYPOST_ALLOW_NETWORKS: "10.0.0.0/8", WAYPOST_STATIC_HOSTS: "a.example=10.0.0.1" };
  expect(localEnvironment(given, local)).toMatchObject({
    WAYPOST_ALLOW_NETWORKS: "10.0.0.0/8,127.0.0.0/8,::1/128",
    WAYPOST_STATIC_HOSTS: "a.example=10.0.0.1,mail.demo.example=127.0.0.1",
  });
});
