import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import * as z from 'zod'
import { describeError } from '../../../base/errors.ts'
import { parseSchema } from '../../../base/parse-schema.ts'
import { allocationsOf } from '../../../networks/routed/ipam/block.ts'
import { UsageError } from '../../io.ts'
import type { IpamProblem } from './find-problems.ts'
import type { IpamState } from './load.ts'

/** One address that is given out, as `ipam check -o` writes it. */
const allocation = z.looseObject({
  block: z.string(),
  handle: z.string().default(''),
  /** Of the block when the address was given out: whoever has it now has another. */
  sequenceNumber: z.number().default(0),
  inUse: z.boolean(),
})

const reportSchema = z.looseObject({
  allocations: z.record(z.string(), z.array(allocation)),
  leakedHandles: z.array(z.looseObject({ id: z.string() })).default([]),
})

/** What `ipam check` found, for `ipam release --from-report`. */
export type IpamReport = z.infer<typeof reportSchema>

export function buildReport(
  { blocks }: IpamState,
  problems: readonly IpamProblem[],
): IpamReport & { date: string; problems: readonly IpamProblem[] } {
  const leaked = new Set(subjects(problems, 'leaked address'))
  const entries = blocks.flatMap((block) =>
    allocationsOf(block).map(({ address, attributes, sequenceNumber }): [string, IpamReport['allocations'][string]] => {
      const { handle_id: handle, secondary } = attributes
      const facts = { block: block.spec.cidr, handle: handle ?? '', sequenceNumber, ...secondary }
      return [address, [{ ...facts, inUse: !leaked.has(address) }]]
    }),
  )
  return {
    date: new Date().toISOString(),
    allocations: Object.fromEntries(entries),
    leakedHandles: subjects(problems, 'leaked handle').map((id) => ({ id })),
    problems,
  }
}

/** Throws UsageError naming the file. */
export async function readReport(cwd: string, file: string): Promise<IpamReport> {
  try {
    return parseSchema(reportSchema, JSON.parse(await readFile(resolve(cwd, file), 'utf8')), { whole: file })
  } catch (cause) {
    const fix = 'name a file that "twinlane ipam check -o FILE" has written'
    throw new UsageError(`--from-report ${file}: ${describeError(cause)}`, { fix, cause })
  }
}

/** An address that nobody uses, by what is known of it. */
export interface Leak {
  readonly address: string
  readonly block: string
  readonly handle: string
  readonly sequenceNumber: number
}

/** What all reports agree on: an address that one of them says is in use stays. */
export function leaksOf(reports: readonly IpamReport[]): Leak[] {
  const [first, ...others] = reports
  return Object.entries(first?.allocations ?? {}).flatMap(([address, found]) =>
    found
      .filter(({ inUse }) => !inUse)
      .filter((leak) => others.every((other) => other.allocations[address]?.some((each) => isSameLeak(each, leak))))
      .map(({ block, handle, sequenceNumber }) => ({ address, block, handle, sequenceNumber })),
  )
}

function isSameLeak(one: z.infer<typeof allocation>, other: z.infer<typeof allocation>): boolean {
  return !one.inUse && one.handle === other.handle && one.sequenceNumber === other.sequenceNumber
}

function subjects(problems: readonly IpamProblem[], kind: IpamProblem['kind']): string[] {
  return problems.filter((problem) => problem.kind === kind).map(({ subject }) => subject)
}
