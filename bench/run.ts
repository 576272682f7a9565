import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { agentMemory } from './agent-memory.ts'
import { attachBurst100 } from './attach-burst-100.ts'
import { attachDelegates } from './attach-delegates.ts'
import { attachRoutedOvn } from './attach-routed-ovn.ts'
import { attachTwoKernelNics } from './attach-two-kernel-nics.ts'
import { type Bench, type Figure, runBench } from './bench.ts'
import { bgp60Nodes } from './bgp-60-nodes.ts'
import { bgpCompute } from './bgp-compute.ts'
import { detachBurst100 } from './detach-burst-100.ts'
import { detachRoutedOvn } from './detach-routed-ovn.ts'
import { detachTwoNics } from './detach-two-nics.ts'
import { ipamAllocate } from './ipam-allocate.ts'
import { labUp } from './lab-up.ts'
import { machineFacts } from './machine.ts'
import { ovnAttach } from './ovn-attach.ts'
import { ovnBurst100 } from './ovn-burst-100.ts'
import { podReady } from './pod-ready.ts'
import { routedForwarding } from './routed-forwarding.ts'

const benches: Readonly<Record<string, Bench>> = {
  'lab-up': labUp,
  'pod-ready': podReady,
  'attach-routed-ovn': attachRoutedOvn,
  'detach-routed-ovn': detachRoutedOvn,
  'attach-two-kernel-nics': attachTwoKernelNics,
  'attach-burst-100': attachBurst100,
  'attach-delegates': attachDelegates,
  'detach-two-nics': detachTwoNics,
  'detach-burst-100': detachBurst100,
  'agent-memory': agentMemory,
  'ipam-allocate': ipamAllocate,
  'ovn-attach': ovnAttach,
  'ovn-burst-100': ovnBurst100,
  'routed-forwarding': routedForwarding,
  'bgp-compute': bgpCompute,
  'bgp-60-nodes': bgp60Nodes,
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, save: { type: 'boolean', default: false } },
})
const names = positionals.length === 0 ? Object.keys(benches) : positionals
process.exitCode = await run()

async function run(): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(benches, name))
  if (unknown.length > 0) {
    console.error(`No bench ${unknown.join(', ')}: there are ${Object.keys(benches).join(', ')}.`)
    return 2
  }
  const machine = machineFacts()
  const figures: Figure[] = []
  const failed: string[] = []
  for (const name of names) {
    const bench = benches[name]
    if (bench === undefined) continue
    try {
      figures.push(...(await runBench(name, bench, print)))
    } catch (error) {
      failed.push(name)
      console.error(`${name} failed:`, error)
    }
  }
  if (flags.save) save({ machine, failed, figures })
  return failed.length === 0 ? 0 : 1
}

function print(figure: Figure): void {
  console.log(flags.json ? JSON.stringify(figure) : renderFigure(figure))
}

function renderFigure({ bench, figure, value, unit, compared, ratio }: Figure): string {
  const comparison = compared === null ? '' : `  (${ratio} × ${compared})`
  return `${bench.padEnd(22)} ${figure.padEnd(58)} ${value.toFixed(unit === 's' ? 2 : 1).padStart(8)} ${unit}${comparison}`
}

function save(result: { machine: { date: string }; failed: string[]; figures: Figure[] }): void {
  const folder = join(import.meta.dirname, 'results')
  const file = join(folder, `${result.machine.date.slice(0, 10)}.json`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`)
  console.error(`Saved ${file}`)
}
