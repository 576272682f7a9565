import { errorCode } from '../base/errors.ts'
import { ExecError, exec } from '../base/exec.ts'
import type { Kernel, Netns, Operation } from './kernel.ts'
import { LinkRemover } from './link-remover.ts'
import { NO_LIBRARY, netnsArguments, nftError } from './nft-command.ts'
import { RequestClient } from './request-client.ts'
import { WatchClient } from './watch-client.ts'

export interface KernelOptions {
  /** How much a watch may fall behind before the kernel drops events and `onResync` is called. @default 4 MiB */
  readonly watchBufferBytes?: number
}

/** The real kernel, which can do something for the process that asks it. */
export interface LinuxKernel extends Kernel {
  /** Gives memory back to the system that the whole process has freed but the C library kept. */
  returnMemory(): Promise<void>
}

/**
 * The kernel of this machine. Threads start at the first use and do not keep the process alive while idle. A call
 * follows an earlier one for certain only when that one was awaited: batches that delete links, which makes the
 * kernel wait, run in a thread of their own so that nothing else waits with them, and share their waits.
 */
export function createKernel(options: KernelOptions = {}): LinuxKernel {
  const requests = new RequestClient()
  const deletions = new RequestClient()
  const remover = new LinkRemover((names) => deletions.call('removeLinks', names))
  const watches = new WatchClient()
  return {
    apply: (netns, operations) => {
      const links = operations.flatMap((operation) => (operation.op === 'deleteLink' ? [operation.name] : []))
      if (netns === undefined && links.length > 0 && links.length === operations.length) return remover.delete(links)
      return (operations.some(deletesLinks) ? deletions : requests).call('apply', netns, operations)
    },
    applyEach: (batches) => requests.call('applyEach', batches),
    links: (netns) => requests.call('links', netns),
    findLink: (netns, name) => requests.call('findLink', netns, name),
    addresses: (netns, device) => requests.call('addresses', netns, device),
    routes: (netns, filter) => requests.call('routes', netns, filter),
    rules: (netns, family) => requests.call('rules', netns, family),
    neighbors: (netns, device) => requests.call('neighbors', netns, device),
    fdb: (netns, device) => requests.call('fdb', netns, device),
    readSysctl: (netns, key) => requests.call('readSysctl', netns, key),
    hasChecksumOffload: (netns, device) => requests.call('hasChecksumOffload', netns, device),
    nft: async (netns, commands) => void (await runNft(requests, netns, { commands, isJson: false })),
    nftList: async (netns, command) => parseList(await runNft(requests, netns, { commands: command, isJson: true })),
    listenTcp: (netns, address, port) => requests.call('listenTcp', netns, address, port),
    connectTcp: (netns, address, port) => requests.call('connectTcp', netns, address, port),
    returnMemory: () => requests.call('returnMemory'),
    watch: (netns, onEvent, onResync, filter) =>
      watches.add(() => requests.call('openWatch', netns, { bufferBytes: options.watchBufferBytes, filter }), {
        onEvent,
        onResync,
      }),
    watchNft: (netns, onEvent, onResync) =>
      watches.add(() => requests.call('openNftWatch', netns), { onEvent, onResync }),
    close: async () => {
      await watches.close()
      await Promise.all([requests.close(), deletions.close()])
    },
  }
}

function deletesLinks(operation: Operation): boolean {
  return operation.op === 'deleteLink' || operation.op === 'deleteLinkGroup'
}

interface NftCall {
  readonly commands: string
  readonly isJson: boolean
}

async function runNft(requests: RequestClient, netns: Netns, call: NftCall): Promise<string> {
  try {
    return await requests.call('nft', netns, call.commands, call.isJson)
  } catch (error) {
    if (errorCode(error) !== NO_LIBRARY) throw error
    return await spawnNft(netns, call)
  }
}

/** For machines that have nft but not its library. */
async function spawnNft(netns: Netns, call: NftCall): Promise<string> {
  const [command = 'nft', ...args] = [...netnsArguments(netns), 'nft', ...(call.isJson ? ['-j'] : []), '-f', '-']
  try {
    return (await exec(command, args, { input: call.commands })).stdout
  } catch (error) {
    throw error instanceof ExecError ? nftError(call.commands, error.stderr || error.message) : error
  }
}

function parseList(text: string): unknown[] {
  return text === '' ? [] : (JSON.parse(text) as { nftables: unknown[] }).nftables
}
