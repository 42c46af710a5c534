// An application that submits a job to Waypost over the broker and listens to what becomes of its mails.
//
//   AMQP_URL=amqp://acme-app:secret@localhost:5672 node submit-and-listen.mjs acme sender@acme.example to@example.com
//
// The user of AMQP_URL must be the account's `brokerUser`. Prints the job's id, then one line for each tracking point,
// and ends when every mail has ended.
import { randomUUID } from "node:crypto";
import process from "node:process";
import { connect } from "amqplib";

const [account, from, ...recipients] = process.argv.slice(2);
if (account === undefined || from === undefined || recipients.length === 0) {
  process.stderr.write("usage: submit-and-listen.mjs <account> <from> <recipient>...\n");
  process.exit(2);
}

const url = new URL(process.env.AMQP_URL ?? "amqp://localhost:5672");
const user = decodeURIComponent(url.username);
const connection = await connect(url.toString(), { noDelay: true });
const channel = await connection.createConfirmChannel();

/** What Promise.withResolvers gives, which Node 20 does not have. */
function promised() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Every tracking point of the account. Bind before submitting, or the first ones are missed. */
async function listen(onEvent) {
  const { queue } = await channel.assertQueue(`app.${user}.${randomUUID()}`, { exclusive: true, autoDelete: true });
  await channel.bindQueue(queue, "waypost.events", `${account}.#`);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    onEvent(JSON.parse(message.content.toString()));
    channel.ack(message);
  });
}

/** Submits a job and resolves with its id. The same `messageId` again answers the same id and sends nothing twice. */
async function submit(job, messageId) {
  const answer = promised();
  const receive = (message) => answer.resolve(JSON.parse(message.content.toString()));
  await channel.consume("amq.rabbitmq.reply-to", receive, { noAck: true });
  channel.publish("waypost.submissions", "jobs", Buffer.from(JSON.stringify(job)), {
    userId: user,
    messageId,
    contentType: "application/json",
    replyTo: "amq.rabbitmq.reply-to",
    correlationId: messageId,
    persistent: true,
    mandatory: true,
  });
  await channel.waitForConfirms();
  const { jobId, error } = await answer.promise;
  if (error !== undefined) throw new Error(`refused: ${JSON.stringify(error)}`);
  return jobId;
}

const seen = new Set();
const events = [];
const ended = promised();
let open = recipients.length;

/** Shows what there is of the job so far. Events come at least once: `tag` tells repetitions. */
function show(jobId) {
  for (const { meta, notification } of events.splice(0)) {
    const { mail, event, tag } = notification.meta;
    if (meta.jobId !== jobId || seen.has(tag)) continue;
    seen.add(tag);
    process.stdout.write(`${event.ts} ${mail.email} ${event.type}/${event.subType}\n`);
    if (event.state === "FINISHED") open -= 1;
  }
  if (open === 0) ended.resolve();
}

const submitted = promised();
await listen((event) => {
  events.push(event);
  void submitted.promise.then(show);
});
const jobId = await submit(
  {
    subject: { content: "Hello from the broker" },
    body: { contentType: "text/plain", content: "Sent by docs/examples/submit-and-listen.mjs" },
    recipients: recipients.map((email) => ({ mail: { to: [{ email }] } })),
    mail: { from: { email: from } },
  },
  randomUUID(),
);
process.stdout.write(`${jobId}\n`);
submitted.resolve(jobId);
await ended.promise;
await channel.close();
await connection.close();
