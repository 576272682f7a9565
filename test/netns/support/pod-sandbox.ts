import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { Lifecycle } from '../../../src/base/lifecycle.ts'
import { createKernel } from '../../../src/kernel/linux.ts'
import type { FakeKube } from '../../../src/kube/fake.ts'
import { createTestAgent, createTestKube, makeTestFolder, removeTestFolder } from '../../support/agent.ts'
import { buildShim, type CniOutcome, runCni } from '../../support/cni.ts'
import { ipJson, makeNetns, removeNetns } from '../../support/netns.ts'

/**
 * A sandbox of the pod default/web, on a node whose agent runs in this process with other plugins as its networks.
 * Folder and namespace are new for each test.
 */
export class PodSandbox {
  readonly kernel = createKernel()
  folder = ''
  netns = ''
  shim = ''
  /** The API of the agent that was started last. */
  kube: FakeKube = createTestKube({})
  #shimFolder = ''
  #agent: Lifecycle | undefined

  async open(): Promise<void> {
    this.#shimFolder = await makeTestFolder()
    this.shim = await buildShim(this.#shimFolder)
  }

  async close(): Promise<void> {
    await this.kernel.close()
    await removeTestFolder(this.#shimFolder)
  }

  async begin(): Promise<void> {
    this.folder = await makeTestFolder()
    this.netns = await makeNetns()
  }

  async end(): Promise<void> {
    await this.#agent?.stop()
    this.#agent = undefined
    await removeNetns(this.netns)
    await removeTestFolder(this.folder)
  }

  async startAgent(objects: Parameters<typeof createTestKube>[0]): Promise<void> {
    this.kube = createTestKube(objects)
    const { folder, kube, kernel, shim } = this
    this.#agent = createTestAgent({ folder, kube, kernel, shim })
    await this.#agent.start(new AbortController().signal)
  }

  /** Executes a plugin as a runtime does: by the name that the configuration has in `type`. */
  call(command: string, config: { type: string }, env: Readonly<Record<string, string>> = {}): Promise<CniOutcome> {
    return runCni(join(this.folder, 'bin', config.type), { ...this.env(command), ...env }, config)
  }

  env(command: string): Record<string, string> {
    return {
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: this.netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
      TWINLANE_SOCKET: join(this.folder, 'run/cni.sock'),
    }
  }

  /** Interfaces of the pod, without the loopback. */
  async interfaces(): Promise<string[]> {
    return (await ipJson(this.netns, 'link')).map(({ ifname }) => String(ifname)).filter((name) => name !== 'lo')
  }

  /** Addresses that host-local has given out, of networks with `dataDir` below the folder's `ipam`. */
  async leases(): Promise<string[]> {
    const ipam = join(this.folder, 'ipam')
    const networks = existsSync(ipam) ? await readdir(ipam) : []
    const files = await Promise.all(networks.map((name) => readdir(join(ipam, name))))
    return files.flat().filter((name) => /^\d/.test(name))
  }

  /** Names of the files with what the agent has on record. */
  records(): Promise<string[]> {
    return readdir(join(this.folder, 'state/attachments'))
  }
}

/** Call it where hooks may be registered. */
export function usePodSandbox(): PodSandbox {
  const sandbox = new PodSandbox()
  beforeAll(() => sandbox.open())
  beforeEach(() => sandbox.begin())
  afterEach(() => sandbox.end())
  afterAll(() => sandbox.close())
  return sandbox
}
