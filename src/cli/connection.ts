import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { NotFoundError } from '../base/errors.ts'
import { findFile } from '../base/file.ts'
import { type ClosableKubeClient, createKubeClientOn } from '../kube/client.ts'
import { findInClusterConfig, type KubeConfig, loadKubeConfig, parseKubeConfig } from '../kube/kubeconfig.ts'
import { createTransport, type Transport } from '../kube/transport.ts'
import type { CliIo } from './io.ts'

export interface ConnectionFlags {
  kubeconfig?: string
  context?: string
  namespace?: string
}

/** An API server and the namespace that commands work in. */
export interface Connection {
  readonly transport: Transport
  readonly client: ClosableKubeClient
  readonly namespace: string
}

/** Where `lab up` puts its kubeconfig, under the current folder. */
export const labKubeconfig = join('.twinlane', 'lab', 'kubeconfig')

/** The flags of every command that asks the API server. */
export function addConnectionFlags(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig to use')
    .option('--context <name>', 'context of the kubeconfig')
}

export function addNamespaceFlag(command: Command): Command {
  return command.option('-n, --namespace <name>', 'namespace (default: that of the context)')
}

export async function connect(io: CliIo, flags: ConnectionFlags): Promise<Connection> {
  const config = await findKubeConfig(io, flags)
  const transport = createTransport(config)
  return { transport, client: createKubeClientOn(transport), namespace: flags.namespace ?? config.namespace }
}

/**
 * --kubeconfig, $KUBECONFIG, the lab of the current folder, ~/.kube/config, the service account of a pod: the first
 * that is there. Throws NotFoundError with the fix when there is none.
 */
export async function findKubeConfig(io: Pick<CliIo, 'env' | 'cwd'>, flags: ConnectionFlags): Promise<KubeConfig> {
  const { context } = flags
  const named = flags.kubeconfig ?? io.env.KUBECONFIG?.split(':').find((path) => path !== '')
  if (named !== undefined) return loadKubeConfig(resolve(io.cwd, named), { context })
  for (const path of [join(io.cwd, labKubeconfig), join(io.env.HOME ?? homedir(), '.kube', 'config')]) {
    const text = await findFile(path)
    if (text !== undefined) return parseKubeConfig(text, path, context)
  }
  const inCluster = await findInClusterConfig(io.env)
  if (inCluster !== undefined) return inCluster
  throw new NotFoundError(
    `no kubeconfig: neither --kubeconfig nor $KUBECONFIG is set, and there is no ${labKubeconfig} and no ~/.kube/config`,
    { fix: 'start a lab with "twinlane lab up" in this folder, or name a file with --kubeconfig' },
  )
}
