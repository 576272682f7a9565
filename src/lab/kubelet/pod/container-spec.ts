import type { Container } from 'kubernetes-types/core/v1.js'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { Image } from '../runtime/image.ts'
import type { Bind, ContainerSpec } from '../runtime/oci-spec.ts'
import type { SandboxNamespaces } from '../runtime/sandbox.ts'
import { expand } from './env.ts'

/** Resolves a container of a pod to what the runtime needs. Pure. */
export function buildContainerSpec(options: {
  id: string
  rootfs: string
  pod: PodResource
  container: Container
  image: Image
  env: Readonly<Record<string, string>>
  binds: readonly Bind[]
  namespaces: SandboxNamespaces
}): ContainerSpec {
  const { id, rootfs, pod, container, image, binds, namespaces } = options
  const security = container.securityContext ?? {}
  const user = userOf(pod, container)
  const env = { HOME: user.uid === 0 ? '/root' : '/', ...options.env }
  return {
    id,
    rootfs,
    args: argsOf(container, image, env),
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd: container.workingDir ?? '/',
    isTerminal: container.tty === true,
    user,
    isPrivileged: security.privileged === true,
    isReadOnly: security.readOnlyRootFilesystem === true,
    addedCapabilities: security.capabilities?.add ?? [],
    droppedCapabilities: security.capabilities?.drop ?? [],
    noNewPrivileges: security.allowPrivilegeEscalation === false,
    namespaces,
    sharesHostPid: pod.spec?.hostPID === true,
    binds,
  }
}

/** command replaces the image's command and its arguments; args alone follow the image's entry point, here none. */
function argsOf(container: Container, image: Image, env: Readonly<Record<string, string>>): string[] {
  const { command = [], args = [] } = container
  const own = [...command, ...args].map((word) => expand(word, env))
  return own.length > 0 ? own : [...image.command]
}

function userOf(pod: PodResource, container: Container): ContainerSpec['user'] {
  const ofPod = pod.spec?.securityContext ?? {}
  const ofContainer = container.securityContext ?? {}
  const groups = [...(ofPod.supplementalGroups ?? []), ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup])]
  return {
    uid: ofContainer.runAsUser ?? ofPod.runAsUser ?? 0,
    gid: ofContainer.runAsGroup ?? ofPod.runAsGroup ?? 0,
    additionalGids: groups,
  }
}
