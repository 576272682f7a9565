import type { Log } from '../../../base/log.ts'
import { waitFor } from '../../../base/observable.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import { createInformer } from '../../../kube/informer.ts'
import { type SecretResource, secrets } from '../../../kube/resources/core.ts'
import type { BgpSession, PeerProblem } from '../bgp/select-peers.ts'
import type { BGPPeer, SecretKeyRef } from '../resources.ts'

/** Where Calico keeps the Secrets that BGPPeers name. */
const secretNamespace = 'kube-system'

export interface PasswordsOptions {
  readonly kube: KubeClient
  readonly log: Log
  /** Called when a Secret that is in use has changed. */
  readonly onChange: () => void
}

interface Watched {
  readonly informer: Informer<SecretResource>
  readonly life: AbortController
}

/** The Secrets that sessions name, each watched by its name alone: the agent needs to see no other. */
export class Passwords {
  readonly #options: PasswordsOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: PasswordsOptions) {
    this.#options = options
  }

  /**
   * The passwords by `<address>:<port>`, and the sessions that can be: one whose password cannot be read is left out, for
   * without it, it would come up unprotected. Secrets that no session names any more are given up. Throws TimeoutError.
   */
  async of(sessions: readonly BgpSession[], peers: readonly BGPPeer[], signal: AbortSignal): Promise<WithPasswords> {
    const found = { passwords: new Map<string, string>(), sessions: [] as BgpSession[], problems: [] as PeerProblem[] }
    this.#giveUpOthers(sessions)
    for (const session of sessions) {
      const reference = session.options.password
      const password =
        reference === undefined ? undefined : readPassword(await this.#secret(reference.name, signal), reference)
      if (password === undefined) found.sessions.push(session)
      else if ('text' in password) {
        found.sessions.push(session)
        found.passwords.set(`${session.address}:${session.port}`, password.text)
      } else found.problems.push(...problemOf(session, password.problem, peers))
    }
    return found
  }

  stop(): void {
    for (const name of [...this.#watched.keys()]) this.#giveUp(name)
  }

  #giveUpOthers(sessions: readonly BgpSession[]): void {
    const wanted = new Set(sessions.map(({ options }) => options.password?.name))
    for (const name of [...this.#watched.keys()]) if (!wanted.has(name)) this.#giveUp(name)
  }

  #giveUp(name: string): void {
    this.#watched.get(name)?.life.abort()
    this.#watched.delete(name)
  }

  async #secret(name: string, signal: AbortSignal): Promise<SecretResource | undefined> {
    const { informer } = this.#watched.get(name) ?? this.#watch(name)
    await waitFor(informer, () => (informer.hasSynced ? true : undefined), {
      what: `Secret ${secretNamespace}/${name}`,
      timeoutMs: 10_000,
      signal,
    })
    return informer.get(name, secretNamespace)
  }

  #watch(name: string): Watched {
    const { kube, log, onChange } = this.#options
    const life = new AbortController()
    const place = { namespace: secretNamespace, fieldSelector: `metadata.name=${name}` }
    const informer = createInformer<SecretResource>(kube, secrets, { ...place, log })
    const watched = { informer, life }
    this.#watched.set(name, watched)
    informer.onChange(onChange)
    void informer.start(life.signal).catch(() => {})
    return watched
  }
}

export interface WithPasswords {
  readonly passwords: ReadonlyMap<string, string>
  readonly sessions: readonly BgpSession[]
  readonly problems: readonly PeerProblem[]
}

/** The password, or why there is none; never both in one text. */
export function readPassword(
  secret: SecretResource | undefined,
  { name, key }: SecretKeyRef,
): { text: string } | { problem: string } {
  const place = `Secret ${secretNamespace}/${name}`
  const encoded = (secret?.data as Record<string, string> | undefined)?.[key]
  if (secret === undefined) return { problem: `there is no ${place}` }
  if (encoded === undefined) return { problem: `${place} has no key ${key}` }
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  if (text === '') return { problem: `key ${key} of ${place} is empty` }
  // BIRD's texts know no escapes.
  if (/["\r\n\0]/.test(text)) return { problem: `key ${key} of ${place} has a line break or a quote in it` }
  return { text }
}

function problemOf({ address, description }: BgpSession, problem: string, peers: readonly BGPPeer[]): PeerProblem[] {
  const peer = peers.find(({ metadata }) => metadata.name === description)
  return peer === undefined ? [] : [{ peer, message: `no session with ${address}: ${problem}` }]
}
