// Every name of a span attribute or metric, in one place: conventions change, and ours must not collide with theirs.
// Messaging: OpenTelemetry semantic conventions 1.44 (status: Development).

export const ATTRIBUTES = {
  messagingSystem: "messaging.system",
  messagingOperationName: "messaging.operation.name",
  messagingOperationType: "messaging.operation.type",
  messagingDestinationName: "messaging.destination.name",
  messagingDestinationTemplate: "messaging.destination.template",
  messagingRoutingKey: "messaging.rabbitmq.destination.routing_key",
  messagingDeliveryTag: "messaging.rabbitmq.message.delivery_tag",
  messagingMessageId: "messaging.message.id",
  messagingConversationId: "messaging.message.conversation_id",
  messagingBodySize: "messaging.message.body.size",
  messagingBatchCount: "messaging.batch.message_count",
  serverAddress: "server.address",
  serverPort: "server.port",
  errorType: "error.type",
  networkPeerAddress: "network.peer.address",
  networkPeerPort: "network.peer.port",
  networkLocalAddress: "network.local.address",
  networkTransport: "network.transport",
  networkProtocolName: "network.protocol.name",
  tlsEstablished: "tls.established",
  tlsProtocolName: "tls.protocol.name",
  tlsProtocolVersion: "tls.protocol.version",
  tlsCipher: "tls.cipher",
  httpRequestMethod: "http.request.method",
  httpResponseStatusCode: "http.response.status_code",
  httpRequestResendCount: "http.request.resend_count",
  httpRoute: "http.route",
  urlFull: "url.full",
  urlPath: "url.path",
  urlScheme: "url.scheme",
  jobId: "waypost.job.id",
  mailId: "waypost.mail.id",
  account: "waypost.account",
  attempt: "waypost.attempt",
  route: "waypost.route",
  suspect: "waypost.suspect",
  verdict: "waypost.verdict",
  smtpReplyCode: "waypost.smtp.reply_code",
  smtpEnhancedStatus: "waypost.smtp.enhanced_status",
  smtpRemoteQueueId: "waypost.smtp.remote_queue_id",
} as const;

/** Of an attempt's span: the step was answered (connect, starttls, auth, mail, rcpt, data, dot …). */
export const smtpEvent = (step: string): string => `waypost.smtp.${step}`;

export const METRICS = {
  sentMessages: "messaging.client.sent.messages",
  consumedMessages: "messaging.client.consumed.messages",
  operationDuration: "messaging.client.operation.duration",
  processDuration: "messaging.process.duration",
  republished: "waypost.broker.republished",
  parked: "waypost.mailbox.parked",
  faults: "waypost.mailbox.faults",
  inHand: "waypost.mailbox.in_hand",
  heldBytes: "waypost.mailbox.held",
  submissions: "waypost.ingest.submissions",
  acceptedMails: "waypost.ingest.mails",
  acceptDuration: "waypost.ingest.duration",
  routedMails: "waypost.router.mails",
  /** Must stay 0: relayed mails that were about to take the MX. */
  failClosed: "waypost.fail_closed",
  unsigned: "waypost.router.unsigned",
  retries: "waypost.retry.mails",
  /** Must stay 0: mails that the sweep of the record found without an end, late expiry apart. */
  swept: "waypost.swept",
  expiredLate: "waypost.expired_late",
  /** Seconds from a job's acceptance to the end of a mail, by the end's type. */
  mailDuration: "waypost.mail.duration",
  /** Seconds from a tracking point to the endpoint's answer. */
  notificationLag: "waypost.notification.lag",
  /** POSTs by outcome: delivered, failed, wait, gone, dead, parked. */
  notificationPosts: "waypost.notification.posts",
  recorded: "waypost.record.points",
  /** Must stay 0: second, different ends of a mail. */
  late: "waypost.record.late",
  recordAge: "waypost.record.age",
  endpoints: "waypost.endpoints",
  unconfirmed: "waypost.broker.unconfirmed",
  brokerConnected: "waypost.broker.connected",
  brokerBlocked: "waypost.broker.blocked",
  deadLetters: "waypost.dead_letters",
  /** Seconds until a signing certificate expires; below 0 nothing of its domain is sent. */
  certificateExpiry: "waypost.signing.certificate_expiry",
} as const;

export const DURATION_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** An SMTP attempt may last long. */
export const ATTEMPT_BUCKETS_S = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
