import type { Worker } from 'node:worker_threads'
import { type Deferred, defer } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import { KernelError } from './errors.ts'
import type { Answer, PlainError, Request, WorkerCalls } from './protocol.ts'
import { startWorker } from './worker-thread.ts'

/** Asks one worker thread, which is started by the first call and again when it should die. */
export class RequestClient {
  readonly #pending = new Map<number, Deferred<unknown>>()
  readonly #unsent: Request[] = []
  #worker: Worker | undefined
  #lastId = 0
  #isClosed = false

  /** Rejects with KernelError. Calls are carried out one after the other, in order. */
  async call<Method extends keyof WorkerCalls>(
    method: Method,
    ...args: Parameters<WorkerCalls[Method]>
  ): Promise<Awaited<ReturnType<WorkerCalls[Method]>>> {
    if (this.#isClosed) throw new KernelError(method, 'ECANCELED', 'the kernel client is closed')
    const worker = this.#running()
    const id = ++this.#lastId
    const answer = defer<unknown>()
    this.#pending.set(id, answer)
    // The process must not end while somebody waits for an answer.
    if (this.#pending.size === 1) worker.ref()
    this.#send({ id, method, args })
    return (await answer.promise) as Awaited<ReturnType<WorkerCalls[Method]>>
  }

  /** Each message wakes the thread, which costs more than many a call: those of one turn of the event loop go together. */
  #send(request: Request): void {
    this.#unsent.push(request)
    if (this.#unsent.length === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const requests = this.#unsent.splice(0)
    if (requests.length > 0) this.#worker?.postMessage(requests)
  }

  /** Lets what is under way finish, then ends the thread. */
  async close(): Promise<void> {
    this.#isClosed = true
    const worker = this.#worker
    if (worker === undefined) return
    const ended = defer()
    worker.once('exit', () => ended.resolve())
    worker.ref()
    this.#flush()
    worker.postMessage('stop')
    await ended.promise
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = startWorker('requests')
    worker.on('message', (answers: Answer[]) => {
      for (const answer of answers) this.#settle(worker, answer)
    })
    worker.on('error', (error) => this.#lose(worker, describeError(error)))
    worker.on('exit', () => this.#lose(worker, 'it ended'))
    this.#worker = worker
    return worker
  }

  #settle(worker: Worker, answer: Answer): void {
    const pending = this.#pending.get(answer.id)
    this.#pending.delete(answer.id)
    if (this.#pending.size === 0 && !this.#isClosed) worker.unref()
    if ('error' in answer) pending?.reject(errorFrom(answer.error))
    else pending?.resolve(answer.value)
  }

  #lose(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const lost = [...this.#pending.values()]
    this.#pending.clear()
    for (const pending of lost) pending.reject(new KernelError('ask the kernel worker thread', 'EPIPE', reason))
  }
}

function errorFrom(plain: PlainError): KernelError {
  return new KernelError(plain.what, plain.code, plain.text, plain.fix === undefined ? {} : { fix: plain.fix })
}
