const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * Cuts a byte stream of JSON objects back to back into texts of one object each. OVSDB has no framing (RFC 7047
 * section 4): the end of a message is known only by its closing brace. Works on bytes, because no byte of a
 * multi-byte UTF-8 character looks like a brace or a quote.
 */
export class JsonScanner {
  #parts: Buffer[] = []
  #depth = 0
  #isInString = false
  #isEscaped = false

  /** Texts of the objects that this chunk completes, in order. Throws SyntaxError on bytes between objects. */
  push(chunk: Buffer): string[] {
    const texts: string[] = []
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      if (this.#depth === 0) {
        if (isSpace(chunk[at])) continue
        if (chunk[at] !== openBrace) throw new SyntaxError(`unexpected byte ${chunk[at]} between JSON objects`)
        start = at
      }
      if (this.#take(chunk[at])) {
        texts.push(this.#finish(chunk.subarray(start, at + 1)))
        start = at + 1
      }
    }
    if (this.#depth > 0) this.#parts.push(chunk.subarray(start))
    return texts
  }

  /** Whether this byte ends an object. */
  #take(byte: number | undefined): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (byte === backslash) this.#isEscaped = true
      else if (byte === quote) this.#isInString = false
      return false
    }
    if (byte === quote) this.#isInString = true
    else if (byte === openBrace || byte === openBracket) this.#depth++
    else if (byte === closeBrace || byte === closeBracket) return --this.#depth === 0
    return false
  }

  #finish(last: Buffer): string {
    const whole = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last])
    this.#parts = []
    return whole.toString('utf8')
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
