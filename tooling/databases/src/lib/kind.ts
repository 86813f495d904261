/** A database that the harness can provide. */
export type DatabaseName = 'postgres' | 'dynamodb';

/** What a server must do beyond answering. */
export interface ServerNeeds {
  /** The data outlives a restart of the server. */
  readonly durable: boolean;
  /**
   * The data survives a power failure, if the database supports that: acknowledged writes are on
   * the disk.
   */
  readonly flushed: boolean;
}

/** What the harness must know about one database. Everything else is the same for all. */
export interface DatabaseKind {
  readonly name: DatabaseName;

  /** The environment variable that names a running server. */
  readonly urlVariable: string;

  /** What such a URL may begin with, as `URL.protocol` gives it. */
  readonly protocols: readonly string[];

  /**
   * Asks the server at `url` once. Resolves with its product and version; rejects if it does not
   * answer.
   */
  probe(url: string): Promise<string>;

  container(needs: ServerNeeds): ContainerPlan;

  /**
   * @param folder An empty folder of the server's own, removed when the server is closed.
   */
  embedded(needs: ServerNeeds, folder: string): Promise<EmbeddedPlan>;
}

/** How to run a database's image. */
export interface ContainerPlan {
  readonly image: string;

  /** The port inside the container. */
  readonly port: number;

  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];

  url(host: string, port: number): string;
}

/** How to run a database's server from the files of an npm package. */
export interface EmbeddedPlan {
  readonly file: string;
  readonly cwd: string;

  /** The user to run as. Default: the current one. */
  readonly identity: Identity;

  /** Shuts the server down cleanly. */
  readonly stopSignal: NodeJS.Signals;

  /** Ends the server at once, when its data is no longer needed. */
  readonly closeSignal: NodeJS.Signals;

  arguments(port: number): readonly string[];
  url(port: number): string;
}

/** The ids to start a process with; without them it runs as the current user. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}
