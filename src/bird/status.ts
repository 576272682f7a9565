import type { BirdReply } from './reply.ts'

/** The daemon as `show status` describes it. Times are as BIRD writes them, of the node's clock. */
export interface BirdStatus {
  readonly version: string
  readonly routerId: string
  readonly lastBoot: string
  readonly lastReconfiguration: string
  /** `-R` was given and peers are still waited for: the kernel's routes are left as they are. */
  readonly isRecovering: boolean
}

/** Reads the reply to `show status`. What the daemon does not say is empty. */
export function parseStatus({ text }: BirdReply): BirdStatus {
  const read = (pattern: RegExp): string => pattern.exec(text)?.[1]?.trim() ?? ''
  return {
    version: read(/^BIRD (\S+)/m),
    routerId: read(/Router ID is (\S+)/),
    lastBoot: read(/Last reboot on (.+)/),
    lastReconfiguration: read(/Last reconfiguration on (.+)/),
    isRecovering: /Graceful restart recovery in progress/.test(text),
  }
}
