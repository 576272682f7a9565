import { spawn } from 'node:child_process'

/** One execution of a CNI plugin. */
export interface Execution {
  /** Path of the executable. */
  readonly plugin: string
  readonly verb: string
  /** Container, pod and network namespace of this name. */
  readonly name: string
  readonly ifName?: string
  readonly config: object
}

/** Executes a plugin as a container runtime does; resolves with what it answered. Throws when it fails. */
export function executePlugin({ plugin, verb, name, ifName = 'eth0', config }: Execution): Promise<string> {
  const env = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: name,
    CNI_NETNS: `/run/netns/${name}`,
    CNI_IFNAME: ifName,
    CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
    PATH: process.env.PATH,
  }
  return new Promise((resolve, reject) => {
    const child = spawn(plugin, [], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    let answer = ''
    child.stdout.on('data', (chunk) => {
      answer += chunk
    })
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(answer) : reject(new Error(`${verb} ${name}: ${answer}`))))
    child.stdin.end(JSON.stringify(config))
  })
}

/** Duration of a task in milliseconds. */
export async function timed(task: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await task()
  return performance.now() - startedAt
}
