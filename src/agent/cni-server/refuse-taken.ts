import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { SelectedAttachment } from '../../meta/select/types.ts'

/**
 * Throws CniError when the pod has an interface already that another's plugin is to make: the plugin would fail, and
 * its DEL would then delete the interface that it did not make. Our own networks know theirs and cost no look.
 */
export async function refuseTaken(
  attachments: readonly SelectedAttachment[],
  netns: string,
  kernel: Pick<Kernel, 'links'>,
): Promise<void> {
  const made = attachments.filter(({ driver, prevResult }) => driver.types.length === 0 && prevResult === undefined)
  if (made.length === 0) return
  const present = new Set((await kernel.links(netns)).map((link) => link.name))
  const taken = made.find(({ ifName }) => present.has(ifName))
  if (taken === undefined) return
  throw new CniError(
    cniErrorCode.invalidNetworkConfig,
    `network "${taken.networkName}" (${taken.ifName}): the pod has an interface "${taken.ifName}" already`,
    { fix: 'Ask for another name in the annotation, or find out who made the interface.' },
  )
}
