/** The network between the client and the server. It can stall, and it observes the traffic. */
export class Network {
  /**
   * Streams deliver nothing while this is set. Whatever the server sends then is lost.
   */
  stalled = false;
  /** How often the client has begun a session. */
  initializations = 0;
  /** Is called when the client resumes a stream. */
  onResume: ((lastEventId: string, status: number) => void) | undefined;
  /** Is called when the server does not know the client's session. */
  onSessionUnknown: (() => void) | undefined;

  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const lastEventId = new Headers(init?.headers).get('last-event-id');
    if (typeof init?.body === 'string' && init.body.includes('"method":"initialize"')) this.initializations++;
    const response = await fetch(url, init);
    if (lastEventId !== null) this.onResume?.(lastEventId, response.status);
    if (response.status === 404) this.onSessionUnknown?.();
    if (response.body === null) return response;
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          if (!this.stalled) controller.enqueue(chunk);
        },
      }),
    );
    return new Response(body, response);
  };
}
