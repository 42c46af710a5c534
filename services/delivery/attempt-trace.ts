// One span and one log line for each attempt (reference: SMTP, TLS, DNS, webhooks). No addresses, subjects or reply texts.
import type { Span } from "@opentelemetry/api";
import { SpanKind, trace } from "@opentelemetry/api";
import type { Attempt, AttemptResult, SmtpStep } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import { failSpan } from "#shared/telemetry/fail-span.ts";
import { ATTRIBUTES, smtpEvent } from "#shared/telemetry/names.ts";

const tracer = trace.getTracer("waypost");

export function startAttemptSpan(mail: MailMessage, route: "relay" | "mx"): Span {
  const span = tracer.startSpan("send smtp", { kind: SpanKind.CLIENT });
  if (!span.isRecording()) return span;
  return span.setAttributes({
    [ATTRIBUTES.jobId]: mail.head.jobId,
    [ATTRIBUTES.mailId]: mail.mailId,
    [ATTRIBUTES.account]: mail.head.account,
    [ATTRIBUTES.attempt]: mail.attempt,
    [ATTRIBUTES.route]: route,
    [ATTRIBUTES.networkTransport]: "tcp",
    [ATTRIBUTES.networkProtocolName]: "smtp",
  });
}

/** Tells the span of each step that was answered; nobody is told where it is not recorded. */
export function stepEvents(span: Span): ((step: SmtpStep) => void) | undefined {
  return span.isRecording() ? (step) => void span.addEvent(smtpEvent(step)) : undefined;
}

function protocolVersion(protocol: string | undefined): string | undefined {
  return protocol?.replace("TLS", "");
}

function attributesOf({ result }: Attempt): Record<string, string | number | boolean | undefined> {
  const { tls } = result;
  return {
    [ATTRIBUTES.serverAddress]: result.host,
    [ATTRIBUTES.serverPort]: result.port,
    [ATTRIBUTES.networkPeerAddress]: result.address,
    [ATTRIBUTES.networkPeerPort]: result.port,
    [ATTRIBUTES.networkLocalAddress]: result.localAddress,
    [ATTRIBUTES.tlsEstablished]: tls?.established,
    [ATTRIBUTES.tlsProtocolName]: tls?.established === true ? "tls" : undefined,
    [ATTRIBUTES.tlsProtocolVersion]: protocolVersion(tls?.protocol),
    [ATTRIBUTES.tlsCipher]: tls?.cipherSuite,
    [ATTRIBUTES.smtpReplyCode]: result.replyCode === undefined ? undefined : String(result.replyCode),
    [ATTRIBUTES.smtpEnhancedStatus]: result.enhancedStatus,
    [ATTRIBUTES.smtpRemoteQueueId]: result.remoteQueueId,
  };
}

function errorTypeOf({ replyCode, cause, enhancedStatus }: AttemptResult): string {
  return String(replyCode ?? cause?.replaceAll("-", "_") ?? enhancedStatus);
}

export function endAttemptSpan(span: Span, attempt: Attempt | undefined): void {
  if (attempt !== undefined && span.isRecording()) {
    const { result } = attempt;
    const present = Object.entries(attributesOf(attempt)).filter(([, value]) => value !== undefined);
    span.setAttributes(Object.fromEntries(present));
    if (result.status !== "accepted") failSpan(span, errorTypeOf(result));
  }
  span.end();
}

export function logAttempt(log: Log, mail: MailMessage, { lane, relay, durationMs, result }: Attempt): void {
  const { text: _text, ...facts } = result;
  log.info(
    {
      jobId: mail.head.jobId,
      mailId: mail.mailId,
      account: mail.head.account,
      attempt: mail.attempt,
      lane,
      relay,
      durationMs,
      ...facts,
    },
    "delivery.attempted",
  );
}
