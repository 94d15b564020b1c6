const HEAD_END = Buffer.from('\r\n\r\n');

/** Parses the answers on one connection as they arrive. Counts the complete ones. */
export class Answers {
  /** How many answers are complete. */
  whole = 0;
  /** Whether the last answer contained `Connection: close`. */
  #hasClose = false;
  /** The bytes of the next answer that have arrived. */
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let length = this.#nextLength(); length !== undefined; length = this.#nextLength()) {
      this.#rest = this.#rest.subarray(length);
      this.whole++;
    }
  }

  /** Whether any byte has arrived. */
  get hasBegun(): boolean {
    return this.whole > 0 || this.#rest.length > 0;
  }

  /**
   * Whether the ended connection was cut: within an answer, or before an expected one. The client sends its next request at
   * the end of each answer, so another answer is always expected, unless the last one contained `Connection: close`.
   */
  get isCut(): boolean {
    return this.#rest.length > 0 || !this.#hasClose;
  }

  /** Returns the length of the next answer, or `undefined` while it is incomplete. */
  #nextLength(): number | undefined {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const head = this.#rest.subarray(0, end).toString('latin1');
    const [, body] = /^content-length: *(\d+)/im.exec(head) ?? [];
    const isChunked = /^transfer-encoding: *chunked/im.test(head);
    const length = body === undefined ? this.#chunkedEnd(isChunked, end) : end + HEAD_END.length + Number(body);
    if (length === undefined || this.#rest.length < length) return undefined;
    this.#hasClose = /^connection: *close/im.test(head);
    return length;
  }

  #chunkedEnd(isChunked: boolean, head: number): number | undefined {
    if (!isChunked) return head + HEAD_END.length;
    const end = this.#rest.indexOf('0\r\n\r\n', head + HEAD_END.length);
    return end < 0 ? undefined : end + 5;
  }
}
