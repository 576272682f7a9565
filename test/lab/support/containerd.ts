import type { ExecResult } from '../../../src/base/exec.ts'
import { eventually } from './eventually.ts'
import type { Lab } from './lab.ts'

const folder = '/opt/containerd-test'

/** Kubernetes' plugin is left out: it would need a registry's pause image. */
const config = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'

/** The lab's nodes have no control groups of their own. */
const runtime = '#!/bin/sh\nexec /usr/bin/crun --cgroup-manager=disabled "$@"\n'

/** A container that `ctr run` waits for. */
export interface CtrContainer {
  exec(...command: string[]): Promise<string>
  /** Ends it; resolves when ctr has removed its networks. */
  stop(): Promise<void>
}

/** Debian's containerd inside a lab's node, and its own client. */
export class Containerd {
  readonly #lab: Lab
  readonly #node: string

  private constructor(lab: Lab, node: string) {
    this.#lab = lab
    this.#node = node
  }

  static async start(lab: Lab, node: string): Promise<Containerd> {
    const containerd = new Containerd(lab, node)
    await containerd.#write('/etc/containerd/config.toml', config)
    await containerd.#write(`${folder}/runtime`, runtime)
    await containerd.#shell(
      `chmod 755 ${folder}/runtime; containerd >${folder}/log 2>&1 </dev/null & echo $! >${folder}/pid`,
    )
    await eventually(async () => void (await containerd.#ctr(['version'])))
    return containerd
  }

  async stop(): Promise<void> {
    await this.#shell(`kill $(cat ${folder}/pid)`)
  }

  /**
   * Runs a container on the networks of the first file of net.d, or on those of `netConf` alone. Resolves when it runs,
   * which is after its networks were attached.
   */
  async run(name: string, root: string, netConf?: object): Promise<CtrContainer> {
    const { command, ended } = await this.#start(name, root, netConf)
    const failed = ended.then(({ stderr }) => Promise.reject(new Error(`${command} ended: ${stderr}`)))
    failed.catch(() => {})
    await Promise.race([failed, eventually(() => this.#expectAttached(name))])
    return {
      exec: async (...words) =>
        (await this.#ctr(['task', 'exec', '--exec-id', `${Date.now()}`, name, ...words])).stdout,
      stop: async () => {
        await this.#ctr(['task', 'kill', '-s', 'KILL', name])
        await ended
      },
    }
  }

  /** Runs a container that cannot start; resolves with what ctr says. */
  async runBadly(name: string, root: string, netConf: object): Promise<string> {
    const { ended } = await this.#start(name, root, netConf)
    return (await ended).stderr
  }

  async #start(name: string, root: string, netConf: object | undefined) {
    const command = `ctr run --rm --cni --runc-binary ${folder}/runtime --rootfs ${root} ${name} /bin/sleep 3600`
    const netConfFolder = `${folder}/net.d/${name}`
    if (netConf !== undefined) await this.#write(`${netConfFolder}/10-test.conf`, JSON.stringify(netConf))
    // ctr knows only /etc/cni/net.d, which belongs to the node's kubelet.
    const line = netConf === undefined ? command : `mount --bind ${netConfFolder} /etc/cni/net.d; exec ${command}`
    const ended = this.#lab.exec(this.#node, ['unshare', '-m', 'sh', '-ec', line], { okCodes: [0, 1, 137] })
    return { command, ended }
  }

  /** ctr starts the process only after the networks were attached. */
  async #expectAttached(name: string): Promise<void> {
    const { stdout } = await this.#ctr(['task', 'list'])
    if (!new RegExp(`^${name}\\s+\\d+\\s+RUNNING`, 'm').test(stdout))
      throw new Error(`${name} does not run:\n${stdout}`)
  }

  #ctr(args: readonly string[]): Promise<ExecResult> {
    return this.#lab.exec(this.#node, ['ctr', ...args])
  }

  #shell(script: string): Promise<ExecResult> {
    return this.#lab.exec(this.#node, ['sh', '-ec', script])
  }

  async #write(path: string, text: string): Promise<void> {
    const script = `mkdir -p "$(dirname ${path})"; cat >${path}`
    await this.#lab.exec(this.#node, ['sh', '-ec', script], { input: text })
  }
}
