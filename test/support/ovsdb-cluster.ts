import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsFiles } from '../../src/ovsdb/remote.ts'

/** A certificate authority in a folder, and one identity that it has signed. */
export function makePki(folder: string, name: string): TlsFiles {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore', cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`, '-subj', `/CN=${name} CA`)
  const signed = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`]
  openssl('req', '-x509', ...key, ...signed, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`)
  const path = (file: string): string => join(folder, file)
  return { privateKey: path(`${name}.key`), certificate: path(`${name}.pem`), caCertificate: path(`${name}-ca.pem`) }
}

export function tlsFlags({ privateKey, certificate, caCertificate }: TlsFiles): string[] {
  return [`--private-key=${privateKey}`, `--certificate=${certificate}`, `--ca-cert=${caCertificate}`]
}

/** OVN's northbound database on three real servers, with TLS between them and to clients, in this network namespace. */
export class DatabaseCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'ovsdb-cluster-'))
  readonly tls = makePki(this.folder, 'ovn')
  readonly #members = new Map<number, ChildProcess>()

  static async start(): Promise<DatabaseCluster> {
    const cluster = new DatabaseCluster()
    const tool = (...args: string[]): void => void execFileSync('ovsdb-tool', args)
    tool('create-cluster', cluster.#file(1), '/usr/share/ovn/ovn-nb.ovsschema', raftAddress(1))
    for (const number of [2, 3]) {
      tool('join-cluster', cluster.#file(number), 'OVN_Northbound', raftAddress(number), raftAddress(1))
    }
    for (const number of [1, 2, 3]) await cluster.startMember(number)
    return cluster
  }

  /** Addresses of all members for clients. */
  get remotes(): string {
    return [1, 2, 3].map((number) => `ssl:127.0.0.1:${7200 + number}`).join(',')
  }

  async startMember(number: number): Promise<void> {
    const remotes = [`--remote=pssl:${7200 + number}:127.0.0.1`, `--unixctl=${this.#control(number)}`]
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'ovsdb-server', this.#file(number), ...remotes, ...tlsFlags(this.tls)],
      {
        stdio: 'ignore',
      },
    )
    this.#members.set(number, child)
    await this.until(() => this.status(number).includes('Status: cluster member'))
  }

  async killMember(number: number): Promise<void> {
    const child = this.#members.get(number)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** The number of the member that leads; undefined while there is none. */
  leader(): number | undefined {
    return [1, 2, 3].find((number) => this.status(number).includes('Role: leader'))
  }

  /** Empty for a member that does not answer. */
  status(number: number): string {
    try {
      const args = ['-t', this.#control(number), '--timeout=2', 'cluster/status', 'OVN_Northbound']
      return execFileSync('ovs-appctl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    } catch {
      return ''
    }
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let n = 0; n < 600; n++) {
      if (isSo()) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`never came true: ${isSo}`)
  }

  async close(): Promise<void> {
    for (const number of this.#members.keys()) await this.killMember(number)
    rmSync(this.folder, { recursive: true })
  }

  #file(number: number): string {
    return join(this.folder, `nb${number}.db`)
  }

  #control(number: number): string {
    return join(this.folder, `nb${number}.ctl`)
  }
}

function raftAddress(number: number): string {
  return `ssl:127.0.0.1:${7100 + number}`
}
