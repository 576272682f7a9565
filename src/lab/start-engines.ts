import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TwinlaneError } from '../base/errors.ts'
import type { LabNode } from './config.ts'
import {
  controllerPorts,
  controlPlaneEngines,
  type Engine,
  nodeEngines,
  runInNode,
  systemId,
  writeEngineFiles,
} from './engines.ts'
import type { Lab } from './lab.ts'
import { type ProcessSpec, SupervisedProcess } from './supervised-process.ts'

/** Time for a program to end after SIGTERM. */
const stopTimeoutMs = 3000
const chassisTimeoutS = 60

/** Starts BIRD, OVS and OVN on every node, each as soon as what it needs is ready. */
export async function startEngines(lab: Lab, signal: AbortSignal): Promise<void> {
  const engines: SupervisedProcess[] = []
  lab.onTakeDown('stop BIRD, OVS and OVN', () => stopAll(engines))
  await Promise.all(
    lab.config.nodes.map(async (node) => {
      await writeEngineFiles(lab.config, node, lab.node(node.name))
      await startOnNode({ lab, node, engines, signal })
    }),
  )
}

/** Resolves when OVN's southbound database knows every node as a chassis, and every node's switch is wired up. */
export async function waitForChassis(lab: Lab, signal: AbortSignal): Promise<void> {
  await Promise.all(lab.config.nodes.map((node) => waitForChassisOf(lab, node, signal)))
  await Promise.all(lab.config.nodes.map((node) => waitForPorts(lab, node, signal)))
}

/** ovn-controller makes the patch ports and the tunnels a moment after the chassis and the gateway are known. */
async function waitForPorts(lab: Lab, node: LabNode, signal: AbortSignal): Promise<void> {
  const ports = controllerPorts(lab.config, node)
  const waits = ports.flatMap((name) => ['--', 'wait-until', 'Interface', name])
  try {
    await runInNode(lab.node(node.name), ['ovs-vsctl', `--timeout=${chassisTimeoutS}`, ...waits], signal)
  } catch (error) {
    signal.throwIfAborted()
    const what = `Open vSwitch of ${node.name} lacks one of the ports ${ports.join(', ')} after ${chassisTimeoutS} s`
    throw new TwinlaneError(what, { cause: error, fix: 'Look at the log of ovn-controller on that node.' })
  }
}

async function waitForChassisOf(lab: Lab, node: LabNode, signal: AbortSignal): Promise<void> {
  const tool = ['ovn-sbctl', '--db=unix:/run/ovn/ovnsb_db.sock', `--timeout=${chassisTimeoutS}`]
  const wait = ['wait-until', 'Chassis', systemId(lab.config, node), `hostname=${node.name}`]
  try {
    await runInNode(lab.node(lab.config.controlPlane), [...tool, ...wait], signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new TwinlaneError(`OVN has no chassis of ${node.name} after ${chassisTimeoutS} s`, { cause: error })
  }
}

/** Starts one of the lab's own programs in a node and lists it in the lab's status. Throws ProcessStartError. */
export async function startProcess(
  lab: Lab,
  spec: Omit<ProcessSpec, 'logFile'>,
  signal: AbortSignal,
): Promise<SupervisedProcess> {
  signal.throwIfAborted()
  const logFile = lab.state.logFile(spec.node.name, spec.name)
  await mkdir(dirname(logFile), { recursive: true })
  const started = new SupervisedProcess({ ...spec, logFile }, lab.log)
  lab.processes.push(started)
  await started.start(signal)
  return started
}

/** Stops programs side by side. */
export async function stopAll(processes: readonly SupervisedProcess[]): Promise<void> {
  await Promise.all(processes.map((each) => each.stop(stopTimeoutMs)))
}

async function startOnNode(options: {
  lab: Lab
  node: LabNode
  engines: SupervisedProcess[]
  signal: AbortSignal
}): Promise<void> {
  const { lab, node } = options
  const own = lab.config.controlPlane === node.name ? controlPlaneEngines(lab.config, node) : []
  const started = new Map<string, Promise<void>>()
  for (const engine of [...nodeEngines(lab.config, node), ...own]) {
    const needed = engine.after.map((name) => started.get(name))
    started.set(engine.name, startEngine({ ...options, engine, needed: Promise.all(needed) }))
  }
  await Promise.all(started.values())
}

async function startEngine(options: {
  lab: Lab
  node: LabNode
  engines: SupervisedProcess[]
  signal: AbortSignal
  engine: Engine
  needed: Promise<unknown>
}): Promise<void> {
  const { lab, engine, signal } = options
  await options.needed
  const node = lab.node(options.node.name)
  for (const command of engine.prepare) await runInNode(node, command, signal)
  const spec = { name: engine.name, node, command: engine.command, ready: engine.ready }
  options.engines.push(await startProcess(lab, spec, signal))
  for (const command of engine.settle) await runInNode(node, command, signal)
}
