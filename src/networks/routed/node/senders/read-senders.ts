import { errorCode } from '../../../../base/errors.ts'
import { isAddress, parseAddress } from '../../../../base/ip.ts'
import type { Kernel, Link } from '../../../../kernel/kernel.ts'
import { senderListings } from './build-senders.ts'
import { elementsOf, type Sender } from './elements.ts'

/** The tables as the kernel has them. */
export interface SenderState {
  /** Everything but elements, counters and handles. */
  readonly rules: unknown
  /** By name. */
  readonly elements: ReadonlySet<string>
}

/** An element's name: family, set and key, such as `inet sources4 7 02:00:00:00:00:01 10.244.0.7`. */
export function elementNames(senders: readonly Sender[]): Set<string> {
  return new Set(
    senders.flatMap(elementsOf).flatMap(({ family, set, keys }) =>
      keys.map((parts) => {
        const texts = parts.flatMap((part) => Object.values(part) as string[])
        return [family, set, ...texts.map(canonical)].join(' ')
      }),
    ),
  )
}

/** The index of the device that an element is about, in figures. */
export function deviceOfElement(name: string): string {
  return name.split(' ')[2] ?? ''
}

/** undefined when a table is missing. */
export async function readSenders(kernel: Kernel): Promise<SenderState | undefined> {
  try {
    const lists: unknown[] = []
    for (const command of senderListings) lists.push(...(await kernel.nftList(undefined, command)))
    return parseSenders(lists, await kernel.links(undefined))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** nft shows a device by its name for as long as there is one of that index. Pure. */
export function parseSenders(lists: readonly unknown[], links: readonly Pick<Link, 'name' | 'index'>[]): SenderState {
  const indexes = new Map(links.map(({ name, index }) => [name, String(index)]))
  const elements = lists.flatMap((item) => {
    const { set } = item as { set?: { family: string; name: string; elem?: unknown[] } }
    return (set?.elem ?? []).map((element) => {
      const [device = '', ...rest] = partsOf(element)
      return [set?.family, set?.name, indexes.get(device) ?? device, ...rest.map(canonical)].join(' ')
    })
  })
  return { rules: withoutChanging(lists), elements: new Set(elements) }
}

function partsOf(element: unknown): string[] {
  const isConcatenation = typeof element === 'object' && element !== null && 'concat' in element
  return (isConcatenation ? (element.concat as unknown[]) : [element]).map(String)
}

function canonical(text: string): string {
  return isAddress(text) ? parseAddress(text).address : text
}

const changing = ['handle', 'packets', 'bytes', 'elem']

function withoutChanging(lists: readonly unknown[]): unknown {
  return JSON.parse(
    JSON.stringify(lists, (key, value: unknown) => (changing.includes(key) ? undefined : value)),
  ) as unknown
}
