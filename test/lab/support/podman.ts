import type { ExecResult } from '../../../src/base/exec.ts'
import type { Lab } from './lab.ts'

const folder = '/opt/podman-test'

const config = `[containers]
cgroups = "disabled"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "${folder}/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
# The other kind is a file in /dev/shm, which is the machine's.
lock_type = "file"
`

/** Debian's podman inside a lab's node, with CNI for its networks and a net.d of its own. */
export class Podman {
  readonly #lab: Lab
  readonly #node: string

  private constructor(lab: Lab, node: string) {
    this.#lab = lab
    this.#node = node
  }

  /** `networks` are CNI configuration lists, whose names are podman's names of the networks. */
  static async create(lab: Lab, node: string, networks: readonly { name: string }[]): Promise<Podman> {
    const podman = new Podman(lab, node)
    await podman.#write(`${folder}/containers.conf`, config)
    for (const network of networks) {
      await podman.#write(`${folder}/net.d/${network.name}.conflist`, JSON.stringify(network))
    }
    return podman
  }

  /** Starts a container that sleeps; resolves with its ID. Throws ExecError. */
  async run(name: string, root: string, networks: readonly string[]): Promise<string> {
    const wanted = networks.flatMap((network) => ['--network', network])
    const { stdout } = await this.#podman([
      'run',
      '-d',
      '--name',
      name,
      ...wanted,
      '--rootfs',
      root,
      '/bin/sleep',
      '3600',
    ])
    return stdout.trim()
  }

  async exec(name: string, ...command: string[]): Promise<string> {
    return (await this.#podman(['exec', name, ...command])).stdout
  }

  async remove(name: string): Promise<void> {
    await this.#podman(['rm', '--force', '--time', '0', name])
  }

  #podman(args: readonly string[]): Promise<ExecResult> {
    const places = ['--root', `${folder}/root`, '--runroot', `${folder}/run`, '--storage-driver', 'vfs']
    const environment = ['env', `CONTAINERS_CONF=${folder}/containers.conf`]
    return this.#lab.exec(this.#node, [...environment, 'podman', ...places, ...args])
  }

  async #write(path: string, text: string): Promise<void> {
    const script = `mkdir -p "$(dirname ${path})"; cat >${path}`
    await this.#lab.exec(this.#node, ['sh', '-ec', script], { input: text })
  }
}
