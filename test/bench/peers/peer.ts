// What the bench knows of a mail relay that it measures.
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly smtpPort: number;
  /** The processes whose trees are this peer's cost, database and broker included. */
  roots(): readonly number[];
  stop(): Promise<void>;
}

export interface PeerOptions {
  /** A directory of its own, for spool, data and logs. */
  directory: string;
  /** Where everything is relayed to. */
  sinkPort: number;
  /** Parallel connections to the sink, at most. */
  connections: number;
}
