import { errorCode } from '../../../../base/errors.ts'
import { Workqueue } from '../../../../base/workqueue.ts'
import type { Kernel, KernelEvent, Link } from '../../../../kernel/kernel.ts'
import type { NodeContext } from '../context.ts'
import { hostInterfacePrefix, type LinkOwner, parseAlias } from '../names.ts'
import { type HostState, hostProblems, settingsOf } from './host-problems.ts'
import type { Repairs } from './repairs.ts'
import { Suspects } from './suspects.ts'

/** Changes within this time, which are mostly one another's, cost one look. */
const settleMs = 20

/** Keeps the host ends of pods as they were made. An ADD or DEL of the same interface is waited for, not disturbed. */
export class HostRepair {
  readonly #context: NodeContext
  readonly #repairs: Repairs
  readonly #suspects = new Suspects()
  readonly #queue: Workqueue

  constructor(context: NodeContext, repairs: Repairs) {
    this.#context = context
    this.#repairs = repairs
    const reconcile = (name: string): Promise<void> => this.#look(name)
    this.#queue = new Workqueue({ name: 'routed-repair', log: context.deps.log, concurrency: 4, settleMs, reconcile })
  }

  note(event: KernelEvent): void {
    const device = this.#suspects.note(event)
    if (device !== undefined) this.#queue.add(device)
  }

  /** Knows the interfaces that were there before the events. */
  know(links: readonly Link[]): void {
    for (const object of links.filter(isHostEnd)) this.#suspects.note({ kind: 'link', action: 'new', object })
  }

  /** Looks at every interface, whatever the events have said. */
  async suspectAll(): Promise<void> {
    const links = await this.#context.deps.kernel.links(undefined)
    this.know(links)
    for (const { name } of links.filter(isHostEnd)) {
      this.#suspects.add(name)
      this.#queue.add(name)
    }
  }

  stop(): Promise<void> {
    return this.#queue.stop()
  }

  async #look(name: string): Promise<void> {
    if (!this.#suspects.has(name)) return
    await this.#context.locks.run(name, async () => {
      // What happened was the ADD or DEL that has just ended.
      if (!this.#suspects.has(name)) return
      this.#suspects.clear(name)
      try {
        await this.#repair(name)
      } catch (error) {
        // Gone with its pod meanwhile.
        if (errorCode(error) === 'ENODEV') return
        this.#suspects.add(name)
        throw error
      }
    })
  }

  async #repair(name: string): Promise<void> {
    const { kernel } = this.#context.deps
    const link = await kernel.findLink(undefined, name)
    const owner = parseAlias(link?.alias)
    if (link === undefined || owner === undefined) return
    const problems = hostProblems(owner, await readState(kernel, link, owner))
    if (problems.length === 0) return
    await kernel.apply(
      undefined,
      problems.flatMap(({ operations }) => operations),
    )
    const { containerId, ifName } = owner
    this.#repairs.note('interface', { interface: name, containerId, ifName, was: problems.map(({ what }) => what) })
  }
}

function isHostEnd({ name }: Link): boolean {
  return name.startsWith(hostInterfacePrefix)
}

async function readState(kernel: Kernel, link: Link, owner: LinkOwner): Promise<HostState> {
  const { name } = link
  const keys = settingsOf(name, owner).map(({ key }) => key)
  const [routes, addresses, values] = await Promise.all([
    kernel.routes(undefined, { device: name }),
    kernel.addresses(undefined, name),
    Promise.all(keys.map((key) => kernel.readSysctl(undefined, key))),
  ])
  return { link, routes, addresses, settings: new Map(keys.map((key, at) => [key, values[at]])) }
}
