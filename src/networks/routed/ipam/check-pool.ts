import { AddressError, type Cidr, cidrsOverlap, formatCidr, parseCidr } from '../../../base/ip.ts'
import type { IPPool, IPPoolSpec } from '../resources.ts'
import { formatSelector, parseSelector, SelectorError } from '../selector.ts'

/** A field of a pool that cannot be as it is. */
export interface PoolProblem {
  readonly field: keyof IPPoolSpec
  readonly reason: string
}

/**
 * Names the pool that this one is a part of and may overlap: while a pool is being split both are there. Their blocks
 * are the same objects, so no address is given out twice.
 */
export const partOfAnnotation = 'twinlane.io/part-of-pool'

const blockSizes = {
  4: { least: 20, most: 32, usual: 26 },
  6: { least: 116, most: 128, usual: 122 },
} as const

const linkLocal = [parseCidr('169.254.0.0/16'), parseCidr('fe80::/10')]

/**
 * What is wrong with a pool (rules as Calico's): by itself, beside the other pools, and as a change of what it was.
 * Pure.
 */
export function checkPool(
  pool: IPPool,
  { others = [], before }: { others?: readonly IPPool[]; before?: IPPool | undefined } = {},
): PoolProblem[] {
  const { spec } = pool
  const cidr = readCidr(spec.cidr)
  if ('reason' in cidr) return [{ field: 'cidr', reason: cidr.reason }]
  return [
    ...checkCidr(pool, cidr, others),
    ...checkBlockSize(spec, cidr),
    ...checkUnchanged(spec, before?.spec),
    ...checkEncapsulation(spec, cidr),
    ...checkSelectors(spec),
    ...checkUses(spec),
  ]
}

function readCidr(text: string): Cidr | { reason: string } {
  try {
    return parseCidr(text, { strict: true })
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    return { reason: error.message }
  }
}

function checkCidr(pool: IPPool, cidr: Cidr, others: readonly IPPool[]): PoolProblem[] {
  const own = linkLocal.find((each) => cidrsOverlap(each, cidr))
  if (own !== undefined)
    return [{ field: 'cidr', reason: `${pool.spec.cidr} is in ${formatCidr(own)}, which is link-local` }]
  const apart = [pool.metadata.name, pool.metadata.annotations?.[partOfAnnotation]]
  const other = others.find(({ metadata, spec }) => !apart.includes(metadata.name) && overlaps(spec.cidr, cidr))
  if (other === undefined) return []
  return [{ field: 'cidr', reason: `${pool.spec.cidr} overlaps ${other.spec.cidr} of IPPool ${other.metadata.name}` }]
}

function overlaps(text: string, cidr: Cidr): boolean {
  const other = readCidr(text)
  return !('reason' in other) && cidrsOverlap(other, cidr)
}

function checkBlockSize({ blockSize, disabled, cidr: text }: IPPoolSpec, cidr: Cidr): PoolProblem[] {
  const { least, most, usual } = blockSizes[cidr.family]
  const size = blockSize ?? usual
  if (size < least || size > most) {
    return [{ field: 'blockSize', reason: `is ${size}; for IPv${cidr.family} it is ${least} to ${most}` }]
  }
  if (cidr.prefixLength <= size || disabled === true) return []
  return [{ field: 'blockSize', reason: `a block of /${size} is larger than the pool ${text}` }]
}

/** Addresses are numbered within blocks: a block of another size would give them out twice. */
function checkUnchanged(spec: IPPoolSpec, before: IPPoolSpec | undefined): PoolProblem[] {
  if (before === undefined) return []
  const cidr = readCidr(before.cidr)
  const usual = 'reason' in cidr ? undefined : blockSizes[cidr.family].usual
  const sizes = [spec.blockSize ?? usual, before.blockSize ?? usual]
  return [
    ...(spec.cidr === before.cidr ? [] : [unchangeable('cidr', before.cidr)]),
    ...(sizes[0] === sizes[1] ? [] : [unchangeable('blockSize', String(sizes[1]))]),
  ]
}

function unchangeable(field: 'cidr' | 'blockSize', before: string): PoolProblem {
  return { field, reason: `is ${before} and cannot be changed: make a new pool, disable this one, recreate its pods` }
}

function checkEncapsulation(spec: IPPoolSpec, cidr: Cidr): PoolProblem[] {
  const { ipipMode = 'Never', vxlanMode = 'Never' } = spec
  if (ipipMode !== 'Never' && vxlanMode !== 'Never') {
    return [{ field: 'ipipMode', reason: `is ${ipipMode} while vxlanMode is ${vxlanMode}: one of them must be Never` }]
  }
  if (ipipMode === 'Never' || cidr.family === 4) return []
  return [{ field: 'ipipMode', reason: `is ${ipipMode}, and there is no IP-in-IP for IPv6` }]
}

function checkSelectors(spec: IPPoolSpec): PoolProblem[] {
  const problems = (['nodeSelector', 'namespaceSelector'] as const).flatMap((field) => checkSelector(spec, field))
  if (spec.namespaceSelector === undefined || spec.allowedUses?.includes('Tunnel') !== true) return problems
  return [...problems, { field: 'namespaceSelector', reason: 'tunnels have no namespace: allowedUses has Tunnel' }]
}

function checkSelector(spec: IPPoolSpec, field: 'nodeSelector' | 'namespaceSelector'): PoolProblem[] {
  try {
    const selector = formatSelector(parseSelector(spec[field] ?? ''))
    return selector.includes('global()') ? [{ field, reason: 'global() selects neither nodes nor namespaces' }] : []
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    return [{ field, reason: error.message }]
  }
}

function checkUses(spec: IPPoolSpec): PoolProblem[] {
  if (spec.allowedUses?.includes('LoadBalancer') !== true) return []
  const refused: (keyof IPPoolSpec)[] = [
    ...(spec.allowedUses.length > 1 ? (['allowedUses'] as const) : []),
    ...(['all()', '', undefined].includes(spec.nodeSelector) ? [] : (['nodeSelector'] as const)),
    ...((spec.ipipMode ?? 'Never') === 'Never' ? [] : (['ipipMode'] as const)),
    ...((spec.vxlanMode ?? 'Never') === 'Never' ? [] : (['vxlanMode'] as const)),
    ...(spec.disableBGPExport === true ? (['disableBGPExport'] as const) : []),
  ]
  return refused.map((field) => ({
    field,
    reason:
      'a pool of LoadBalancer addresses has no other use, is for all() nodes, without encapsulation, and exported',
  }))
}

/** Whether a pool may be given addresses of; the older of two that overlap may. */
export type PoolState = 'OK' | 'PoolDisabled' | 'Terminating' | 'CIDROverlap' | 'Invalid'

export type PoolStates = ReadonlyMap<IPPool, { readonly state: PoolState; readonly message: string }>

const known = new WeakMap<readonly IPPool[], PoolStates>()

/** The state of each pool, in a sentence too. Pure; the answer for one and the same list is computed once. */
export function poolStates(pools: readonly IPPool[]): PoolStates {
  const states = known.get(pools) ?? computeStates(pools)
  known.set(pools, states)
  return states
}

function computeStates(pools: readonly IPPool[]): PoolStates {
  const byAge = [...pools].sort(olderFirst)
  return new Map(
    byAge.map((pool, index) => {
      const [own] = checkPool(pool)
      const [overlap] = checkPool(pool, { others: byAge.slice(0, index) })
      return [pool, stateOf(pool, own, overlap)]
    }),
  )
}

function stateOf(
  { spec, metadata }: IPPool,
  own: PoolProblem | undefined,
  overlap: PoolProblem | undefined,
): { state: PoolState; message: string } {
  if (metadata.deletionTimestamp !== undefined) return { state: 'Terminating', message: 'the pool is being deleted' }
  if (own !== undefined) return { state: 'Invalid', message: `spec.${own.field}: ${own.reason}` }
  if (overlap !== undefined) return { state: 'CIDROverlap', message: `spec.${overlap.field}: ${overlap.reason}` }
  if (spec.disabled === true) return { state: 'PoolDisabled', message: 'the pool is disabled' }
  return { state: 'OK', message: 'addresses of the pool are given out' }
}

function olderFirst(a: IPPool, b: IPPool): number {
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (left !== right) return left < right ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}
