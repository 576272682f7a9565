import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** A whole answer. */
export interface HttpAnswer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface ExchangeLimits {
  /** From now to the end of the answer, with the wait for a connection; then the cause is a DOMException TimeoutError. */
  readonly timeoutMs: number
  /** Rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends a request and collects its answer. By undici's lowest interface: its `request` makes a stream and abort signals
 * for each, which is more work than all the rest of a small exchange. Rejects with whatever broke it.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { timeoutMs, signal }: ExchangeLimits,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let head: Pick<HttpAnswer, 'statusCode' | 'headers'> = { statusCode: 0, headers: {} }
    let controller: Dispatcher.DispatchController | undefined
    let failure: unknown
    const breakOff = (reason: unknown): void => {
      settle()
      failure = reason
      controller?.abort(reason instanceof Error ? reason : new Error(String(reason)))
      reject(reason)
    }
    const onAbort = (): void => breakOff(signal?.reason)
    const late = setTimeout(() => breakOff(timeoutError(timeoutMs)), timeoutMs)
    const settle = (): void => {
      clearTimeout(late)
      signal?.removeEventListener('abort', onAbort)
    }
    if (signal?.aborted === true) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started
        // It waited for a connection for too long.
        if (failure !== undefined) started.abort(failure instanceof Error ? failure : new Error(String(failure)))
      },
      onResponseStart(_, statusCode, headers) {
        head = { statusCode, headers }
      },
      onResponseData(_, chunk) {
        chunks.push(chunk)
      },
      onResponseEnd() {
        settle()
        resolve({ ...head, text: Buffer.concat(chunks).toString('utf8') })
      },
      onResponseError(_, error) {
        settle()
        reject(error)
      },
    })
  })
}

function timeoutError(timeoutMs: number): DOMException {
  return new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError')
}
