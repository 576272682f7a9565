import { isDeepStrictEqual } from 'node:util'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'

/** What a running pod has. Without a selection it came from the configuration, and hot-plug never touches it. */
export interface Plugged {
  readonly ifName: string
  /** What the annotation said when it was attached. */
  readonly selection?: NetworkSelection | undefined
  /** Set: it could not be taken away yet, and its name is still taken. */
  readonly state?: string | undefined
}

export interface HotPlugPlan<T extends Plugged> {
  readonly keep: readonly T[]
  /** To be done first: a name may be used again. */
  readonly detach: readonly T[]
  readonly attach: readonly { readonly ifName: string; readonly selection: NetworkSelection }[]
}

/**
 * From what a pod has to what its edited annotation asks for. An interface that was named is known by its name; one that
 * was not, by what was asked for: so it keeps its name when its place in the list changes, where Multus' rule of names by
 * place would rename it. Throws NetworkSelectionError when two networks would be one interface.
 */
export function planHotPlug<T extends Plugged>(
  recorded: readonly T[],
  selections: readonly NetworkSelection[],
): HotPlugPlan<T> {
  const settled = recorded.filter(({ state }) => state === undefined)
  const claimed = claim(settled, selections)
  const stays = new Set<T>([...settled.filter(({ selection }) => selection === undefined), ...claimed.values()])
  const keep = settled.filter((item) => stays.has(item))
  const detach = settled.filter((item) => !stays.has(item))
  const wanted = selections.filter((selection) => !claimed.has(selection))
  return { keep, detach, attach: nameInterfaces(wanted, { recorded, keep, selections }) }
}

/** Which attachment is already what a selection asks for. Named ones choose first, so that no unnamed one takes theirs. */
function claim<T extends Plugged>(
  recorded: readonly T[],
  selections: readonly NetworkSelection[],
): Map<NetworkSelection, T> {
  const unnamedFirst = recorded.toSorted((a, b) => Number(isNamed(a.selection)) - Number(isNamed(b.selection)))
  const free = new Set(unnamedFirst.filter(({ selection }) => selection !== undefined))
  const claimed = new Map<NetworkSelection, T>()
  for (const selection of selections.toSorted((a, b) => Number(isNamed(b)) - Number(isNamed(a)))) {
    const found = [...free].find((item) => isSame(item, selection))
    if (found === undefined) continue
    free.delete(found)
    claimed.set(selection, found)
  }
  return claimed
}

function isNamed(selection: NetworkSelection | undefined): boolean {
  return selection?.interface !== undefined
}

function isSame(item: Plugged, wanted: NetworkSelection): boolean {
  if (item.selection === undefined || (wanted.interface ?? item.ifName) !== item.ifName) return false
  return isDeepStrictEqual(withoutName(item.selection), withoutName(wanted))
}

/** A record has been through JSON, which knows no undefined. */
function withoutName({ interface: _, ...wish }: NetworkSelection): unknown {
  return JSON.parse(JSON.stringify(wish))
}

function nameInterfaces<T extends Plugged>(
  wanted: readonly NetworkSelection[],
  pod: { recorded: readonly T[]; keep: readonly T[]; selections: readonly NetworkSelection[] },
): HotPlugPlan<T>['attach'] {
  const kept = new Set(pod.keep.map(({ ifName }) => ifName))
  const named = wanted.flatMap((selection) => selection.interface ?? [])
  const shared = named.find((name, index) => kept.has(name) || named.indexOf(name) !== index)
  if (shared !== undefined) throw refuseShared(shared)
  const taken = new Set([...kept, ...named, ...pod.recorded.map(({ ifName }) => ifName)])
  const base = pod.recorded.filter(({ selection }) => selection === undefined).length
  return wanted.map((selection) => {
    const ifName = selection.interface ?? freeName(taken, base + pod.selections.indexOf(selection))
    taken.add(ifName)
    return { ifName, selection }
  })
}

/** The name that Multus would give, or, where another has it, the next. */
function freeName(taken: ReadonlySet<string>, index: number): string {
  return taken.has(`net${index}`) ? freeName(taken, index + 1) : `net${index}`
}

function refuseShared(ifName: string): NetworkSelectionError {
  return new NetworkSelectionError('InterfaceNameTaken', `two networks would both be the interface "${ifName}"`, {
    fix: `Ask for another name than "${ifName}" in the annotation.`,
  })
}
