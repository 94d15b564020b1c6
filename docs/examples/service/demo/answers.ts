const HEAD_END = Buffer.from('\r\n\r\n');

/** The answers on one connection, as they come in: how many are whole, and whether the last one is. */
export class Answers {
  /** How many have come to their end. */
  whole = 0;
  /** Whether the last one said that it was the last. */
  #saidClose = false;
  /** What has come of the next one. */
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let length = this.#nextLength(); length !== undefined; length = this.#nextLength()) {
      this.#rest = this.#rest.subarray(length);
      this.whole++;
    }
  }

  /** Whether anything has come. */
  get hasBegun(): boolean {
    return this.whole > 0 || this.#rest.length > 0;
  }

  /**
   * Whether the connection, which is over, was cut: in the middle of an answer, or where another one was due. The client
   * sends its next request with the end of an answer, so one is always due, unless the answer said that it was the last.
   */
  get isCut(): boolean {
    return this.#rest.length > 0 || !this.#saidClose;
  }

  /** How long the next answer is; `undefined`: it is not here yet. */
  #nextLength(): number | undefined {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const head = this.#rest.subarray(0, end).toString('latin1');
    const [, body] = /^content-length: *(\d+)/im.exec(head) ?? [];
    const isChunked = /^transfer-encoding: *chunked/im.test(head);
    const length = body === undefined ? this.#chunkedEnd(isChunked, end) : end + HEAD_END.length + Number(body);
    if (length === undefined || this.#rest.length < length) return undefined;
    this.#saidClose = /^connection: *close/im.test(head);
    return length;
  }

  #chunkedEnd(isChunked: boolean, head: number): number | undefined {
    if (!isChunked) return head + HEAD_END.length;
    const end = this.#rest.indexOf('0\r\n\r\n', head + HEAD_END.length);
    return end < 0 ? undefined : end + 5;
  }
}
