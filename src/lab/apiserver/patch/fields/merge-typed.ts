import type { Typed } from '../../schema/schema.ts'
import { interleave } from '../interleave.ts'
import { assemble, type Parts, partsOf } from './elements.ts'

/** The live value with everything that the configuration says put over it. Changes neither argument. */
export function mergeTyped(live: unknown, config: unknown, typed: Typed): unknown {
  const [old, now] = [partsOf(live, typed), partsOf(config, typed)]
  if (now === undefined || old === undefined || old.kind !== now.kind) return config
  const merged = orderOf(old, now).map((element) => {
    const [before, after] = [old.parts.get(element), now.parts.get(element)]
    if (after === undefined || before === undefined) return [element, (after ?? before)?.value] as const
    return [element, mergeTyped(before.value, after.value, after.typed)] as const
  })
  return assemble(now.kind, merged)
}

/** Lists take the configuration's order; what only the live list has stays where it stood. */
function orderOf(old: Parts, now: Parts): string[] {
  const before = [...old.parts.keys()]
  const places = new Map(before.map((element, index) => [element, index]))
  const others = before.filter((element) => !now.parts.has(element))
  if (now.kind === 'members') return [...before, ...[...now.parts.keys()].filter((element) => !old.parts.has(element))]
  return interleave([...now.parts.keys()], others, (element) => places.get(element) ?? -1)
}
