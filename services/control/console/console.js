// The console in the browser: lists the relays with their lanes, finds mails, shows a mail's timeline.
// Everything shown is set as text, never as markup; the token lives in sessionStorage, for this tab alone.

const REFRESH_MS = 3_000;
const PAGE = 25;
const TOKEN = "waypost-token";

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text ?? "";
  if (className) made.className = className;
  return made;
}

function tell(text) {
  byId("message").textContent = text;
  byId("message").hidden = text === "";
}

class SignedOut extends Error {}

async function ask(path) {
  const response = await fetch(path, { headers: { authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` } });
  if (response.status === 401) throw new SignedOut("This is not the token of the administration API.");
  const body = await response.json();
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(body.detail ?? `The answer was ${response.status}.`);
  return body;
}

const when = (text) => (text ? text.replace("T", " ").replace("Z", " UTC") : "");
const STATE_CLASS = {
  active: "good",
  suspended: "bad",
  held: "warn",
  DELIVERED: "good",
  BOUNCED: "bad",
  DROPPED: "bad",
  DEFERRED: "warn",
};

function relayRow(relay) {
  const { lane } = relay;
  const row = document.createElement("tr");
  const state = relay.enabled ? lane.state : "disabled";
  const since = lane.since && lane.state !== "active" ? ` since ${when(lane.since)}` : "";
  row.append(
    element("td", relay.account),
    element("td", relay.domain),
    element("td", `${relay.host}:${relay.port} (tls ${relay.tls})`),
    element("td", state + since, STATE_CLASS[state] ?? "soft"),
    element("td", String(lane.depth), "number"),
    element("td", String(lane.inFlight), "number"),
    element("td", lane.lastResponse ?? lane.reason ?? "", "soft"),
  );
  return row;
}

function emptyRow(text, columns) {
  const row = document.createElement("tr");
  const cell = element("td", text, "soft");
  cell.colSpan = columns;
  row.append(cell);
  return row;
}

async function showRelays() {
  const answer = await ask("/v1/relays?limit=200");
  const rows = answer.items.map(relayRow);
  if (answer.cursor) rows.push(emptyRow("There are more; ask the API for them.", 7));
  byId("relays").replaceChildren(...(rows.length > 0 ? rows : [emptyRow("No relays yet.", 7)]));
}

const routeText = (route) => (route === undefined ? "" : route.kind === "relay" ? route.host : "MX");

function mailRow(mail) {
  const row = document.createElement("tr");
  row.tabIndex = 0;
  row.append(
    element("td", when(mail.receivedTs)),
    element("td", mail.account),
    element("td", mail.email),
    element("td", mail.from),
    element("td", routeText(mail.route)),
    element("td", mail.type, STATE_CLASS[mail.type] ?? "soft"),
  );
  const open = () => void attempt(() => showMail(mail.mailId));
  row.addEventListener("click", open);
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter") open();
  });
  return row;
}

async function findMails(fields) {
  const { text, account, state, cursor } = fields;
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [key, value] of Object.entries({ account, state, cursor })) if (value) query.set(key, value);
  if (!text) return ask(`/v1/mails?${query}`);
  if (text.includes("@")) {
    query.set("recipient", text);
    return ask(`/v1/mails?${query}`);
  }
  const id = encodeURIComponent(text);
  const mail = await ask(`/v1/mails/${id}`);
  if (mail) return { items: [mail] };
  const job = await ask(`/v1/jobs/${id}`);
  if (job) return { items: job.mails };
  query.set("queueId", text);
  return ask(`/v1/mails?${query}`);
}

let search = { text: "", account: "", state: "" };

async function showMails(cursor) {
  const answer = await findMails({ ...search, cursor });
  const rows = answer.items.map(mailRow);
  if (cursor) byId("mails").append(...rows);
  else byId("mails").replaceChildren(...(rows.length > 0 ? rows : [emptyRow("No mails found.", 6)]));
  byId("more").hidden = answer.cursor === undefined;
  byId("more").onclick = () => attempt(() => showMails(answer.cursor));
}

function timelineOf(mail) {
  const points = mail.trackingPoints.map(({ meta: { event }, content }) => ({
    at: event.ts,
    title: event.type,
    text: [event.subType, event.description, content?.smtp?.reason].filter(Boolean).join(" · "),
  }));
  const attempts = mail.attempts.map((made) => ({
    at: made.at,
    title: `attempt ${made.attempt}`,
    text: [
      made.outcome,
      made.host && `${made.host} [${made.address ?? ""}]`,
      made.dsn,
      made.response,
      made.tls?.protocol,
      made.remoteQueueId && `queue id ${made.remoteQueueId}`,
      made.uncertain && "uncertain",
    ]
      .filter(Boolean)
      .join(" · "),
  }));
  const notifications = mail.notifications.map((note) => ({
    at: note.at,
    title: "notified",
    text: [note.url, note.status || "no answer", note.error].filter(Boolean).join(" · "),
  }));
  return [...points, ...attempts, ...notifications].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

async function showMail(mailId) {
  const mail = await ask(`/v1/mails/${encodeURIComponent(mailId)}`);
  if (!mail) throw new Error("There is no such mail any more.");
  const facts = {
    Mail: mail.mailId,
    Job: mail.jobId,
    Account: mail.account,
    To: mail.email,
    From: mail.from,
    Route: routeText(mail.route),
    Lane: mail.lane,
    State: `${mail.state}, ${mail.type} ${mail.subType}`,
    Deadline: when(mail.deadline),
    Trace: mail.traceId,
  };
  byId("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => (value ? [element("dt", name), element("dd", value)] : [])),
  );
  byId("timeline").replaceChildren(
    ...timelineOf(mail).map(({ at, title, text }) => {
      const item = document.createElement("li");
      item.append(
        element("span", when(at), "soft"),
        element("strong", title, STATE_CLASS[title]),
        element("span", text),
      );
      return item;
    }),
  );
  byId("mail").hidden = false;
  byId("mail").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function showSignIn() {
  sessionStorage.removeItem(TOKEN);
  byId("work").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("token").focus();
}

function tellError(error) {
  if (error instanceof SignedOut) showSignIn();
  tell(error.message);
}

/** Runs what a person asked for; what goes wrong is told on the page. */
async function attempt(work) {
  try {
    await work();
    tell("");
  } catch (error) {
    tellError(error);
  }
}

let trouble;

/** Nobody asked for it: what it takes back is only what it told. */
async function refresh() {
  try {
    await showRelays();
    if (byId("message").textContent === trouble) tell("");
    trouble = undefined;
  } catch (error) {
    trouble = error.message;
    tellError(error);
  }
}

async function start() {
  if (sessionStorage.getItem(TOKEN) === null) return showSignIn();
  await showRelays();
  await showMails();
  byId("sign-in").hidden = true;
  byId("work").hidden = false;
  byId("sign-out").hidden = false;
  const asked = new URLSearchParams(location.hash.slice(1)).get("mail");
  if (asked) await showMail(asked);
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  void attempt(start);
});
byId("sign-out").addEventListener("click", () => {
  showSignIn();
  tell("");
});
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = new FormData(event.target);
  search = { text: fields.get("text").trim(), account: fields.get("account").trim(), state: fields.get("state") };
  byId("mail").hidden = true;
  void attempt(() => showMails());
});
setInterval(() => {
  if (!byId("work").hidden && !document.hidden) void refresh();
}, REFRESH_MS);
void attempt(start);
