// Receives traces by each of OTLP's three protocols (http/protobuf, http/json, grpc) and tells the spans alike.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: string;
  attributes: Readonly<Record<string, unknown>>;
  resource: Readonly<Record<string, unknown>>;
  links: readonly { traceId: string; spanId: string }[];
  events: readonly { name: string; attributes: Readonly<Record<string, unknown>> }[];
  status: number;
  /** `service.name` of the resource. */
  service: string;
}

export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf and http/json. */
  readonly httpUrl: string;
  /** For OTEL_EXPORTER_OTLP_ENDPOINT with grpc. */
  readonly grpcUrl: string;
  readonly spans: readonly ReceivedSpan[];
  ofTrace(traceId: string): readonly ReceivedSpan[];
  /** Content types that requests came with. */
  readonly protocols: ReadonlySet<string>;
  close(): Promise<void>;
}

/** The part of opentelemetry/proto/trace/v1 that is read here; fields that it does not name are skipped. */
const PROTO = `
syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Status { string message = 2; int32 code = 3; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  int32 kind = 6; repeated KeyValue attributes = 9; repeated Event events = 11; repeated Link links = 13; Status status = 15; }
message ScopeSpans { repeated Span spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Request { repeated ResourceSpans resource_spans = 1; }
`;
const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number;
  arrayValue?: { values?: AnyValue[] };
}
interface KeyValue {
  key: string;
  value?: AnyValue;
}
interface WireSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: number;
  attributes?: KeyValue[];
  events?: { name: string; attributes?: KeyValue[] }[];
  links?: { traceId: string; spanId: string }[];
  status?: { code?: number };
}
interface WireRequest {
  resourceSpans?: { resource?: { attributes?: KeyValue[] }; scopeSpans?: { spans?: WireSpan[] }[] }[];
}

function plain(value: AnyValue | undefined): unknown {
  if (value === undefined) return undefined;
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}

function attributesOf(list: KeyValue[] | undefined): Record<string, unknown> {
  return Object.fromEntries((list ?? []).map((item) => [item.key, plain(item.value)]));
}

function spansOf(request: WireRequest): ReceivedSpan[] {
  return (request.resourceSpans ?? []).flatMap((group) => {
    const resource = attributesOf(group.resource?.attributes);
    return (group.scopeSpans ?? []).flatMap((scope) =>
      (scope.spans ?? []).map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId === undefined || span.parentSpanId === "" ? undefined : span.parentSpanId,
        name: span.name,
        kind: KINDS[span.kind ?? 0] ?? "",
        attributes: attributesOf(span.attributes),
        resource,
        links: span.links ?? [],
        events: (span.events ?? []).map((event) => ({ name: event.name, attributes: attributesOf(event.attributes) })),
        status: span.status?.code ?? 0,
        service: typeof resource["service.name"] === "string" ? resource["service.name"] : "",
      })),
    );
  });
}

const requestType = protobuf.parse(PROTO).root.lookupType("Request");
const HEX_FIELDS = new Set(["traceId", "spanId", "parentSpanId"]);

/** Ids are bytes in protobuf and hex in OTLP's JSON: here always hex. */
function decodeProtobuf(bytes: Buffer): WireRequest {
  const object = requestType.toObject(requestType.decode(bytes), { longs: String, bytes: String });
  const text = JSON.stringify(object, (key, value: unknown) =>
    HEX_FIELDS.has(key) && typeof value === "string" ? Buffer.from(value, "base64").toString("hex") : value,
  );
  return JSON.parse(text) as WireRequest;
}

interface Take {
  (protocol: string, request: WireRequest): void;
}

async function startHttp(take: Take): Promise<{ port: number; close(): void }> {
  const server = createServer((incoming, response) => {
    void buffer(incoming).then((raw) => {
      const type = incoming.headers["content-type"] ?? "";
      const bytes = incoming.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
      if (incoming.url?.endsWith("/v1/traces") === true) {
        take(type, type.includes("json") ? (JSON.parse(bytes.toString("utf8")) as WireRequest) : decodeProtobuf(bytes));
      }
      response.writeHead(200, { "content-type": type }).end(type.includes("json") ? "{}" : "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function startGrpc(take: Take): Promise<{ port: number; close(): void }> {
  const server = new grpc.Server();
  const definition = {
    Export: {
      path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      requestStream: false,
      responseStream: false,
      requestSerialize: (value: Buffer) => value,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (value: Buffer) => value,
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  };
  server.addService(definition, {
    Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) => {
      take("grpc", decodeProtobuf(call.request));
      callback(null, Buffer.alloc(0));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const protocols = new Set<string>();
  const take: Take = (protocol, request) => {
    protocols.add(protocol);
    spans.push(...spansOf(request));
  };
  const http = await startHttp(take);
  const rpc = await startGrpc(take);
  return {
    httpUrl: `http://127.0.0.1:${http.port}`,
    grpcUrl: `http://127.0.0.1:${rpc.port}`,
    spans,
    protocols,
    ofTrace: (traceId) => spans.filter((span) => span.traceId === traceId),
    close: async () => {
      http.close();
      rpc.close();
    },
  };
}
