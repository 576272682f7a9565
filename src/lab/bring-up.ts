import { bigintToAddress, parseCidr } from '../base/ip.ts'
import { createKernel } from '../kernel/linux.ts'
import { waitForAdmission } from './admission.ts'
import { type LabConfig, managementAddress } from './config.ts'
import { fabricName } from './config-checks.ts'
import { buildFabric } from './fabric.ts'
import { startAgents, startApi, startControlLoops, waitForNodes } from './kubernetes.ts'
import type { Lab } from './lab.ts'
import { startNamespaces } from './node/namespaces.ts'
import { ensurePki, type Pki } from './pki.ts'
import { writeRecord } from './record.ts'
import { startEngines, waitForChassis } from './start-engines.ts'

/** Builds a lab; resolves when its nodes are ready for pods. What was built before a failure is on the lab's take-down list. */
export async function bringUp(lab: Lab, signal: AbortSignal): Promise<void> {
  const failure = new AbortController()
  try {
    await buildAll(lab, AbortSignal.any([signal, failure.signal]))
  } catch (error) {
    failure.abort(error)
    throw error
  }
}

async function buildAll(lab: Lab, signal: AbortSignal): Promise<void> {
  const { progress } = lab
  const [pki] = await Promise.all([makeCertificates(lab), startHosts(lab, signal)])
  const kernel = createKernel()
  lab.onTakeDown('close the kernel interface', () => kernel.close())
  const fabric = lab.node(fabricName)
  await progress.step('fabric', () => buildFabric({ config: lab.config, kernel, fabric, nodes: lab.namespaces }))
  const [kube] = await Promise.all([
    progress.step('API server', () => startApi(lab, kernel, pki)),
    progress.step('BIRD, OVS and OVN', () => startEngines(lab, signal)),
  ])
  await Promise.all([
    progress.step('scheduler', () => startControlLoops(lab, kube)),
    progress.step('agents, kubelets, controller', () => startAgents(lab, pki, signal)),
  ])
  await Promise.all([
    progress.step('nodes are Ready', (waiting) => waitForNodes({ lab, kube, waiting, signal })),
    progress.step('OVN chassis', () => waitForChassis(lab, signal)),
    ...(lab.config.admission ? [progress.step('admission', () => waitForAdmission(kube, signal))] : []),
  ])
}

function makeCertificates(lab: Lab): Promise<Pki> {
  return lab.progress.step('certificates', () => ensurePki(lab.state.pkiFolder, lab.config, serviceAddress(lab.config)))
}

/** The ClusterIP of the Kubernetes API: the first address of the service CIDR. */
export function serviceAddress(config: LabConfig): string {
  const cidr = parseCidr(config.ovn.svcCidr)
  return bigintToAddress(cidr.first + 1n, cidr.family)
}

async function startHosts(lab: Lab, signal: AbortSignal): Promise<void> {
  await lab.progress.step('hosts', async () => {
    const names = [fabricName, ...lab.config.nodes.map((node) => node.name)]
    lab.onTakeDown('remove the hosts', async () => {
      await Promise.all([...lab.namespaces.values()].map((each) => each.stop()))
    })
    const hosts = lab.config.nodes.map((node) => `${managementAddress(lab.config, node)} ${node.name}`)
    const visible = [lab.programs.packageFolder, lab.state.folder]
    await Promise.all(
      names.map(async (hostname) => {
        lab.namespaces.set(hostname, await startNamespaces({ hostname, hosts, visible }, signal))
      }),
    )
    const inits = [...lab.namespaces.values()].map((each) => each.init)
    await writeRecord(lab.state, { supervisor: lab.supervisor, inits })
  })
}
