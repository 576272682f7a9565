import { renderBirdConfig } from './render.ts'

export interface BirdDaemonPaths {
  /** @default /etc/bird/bird.conf */
  configFile?: string
  /** @default /run/bird/bird.ctl */
  socket?: string
}

/**
 * Arguments for `bird` when somebody supervises it in the foreground. `-R` starts in graceful restart, so that peers
 * and the kernel keep the routes of a BIRD that comes back (felix#569); without peers it ends at once.
 */
export function birdArguments(paths: BirdDaemonPaths = {}): string[] {
  return ['-f', '-R', '-c', paths.configFile ?? '/etc/bird/bird.conf', '-s', paths.socket ?? '/run/bird/bird.ctl']
}

/**
 * The least that BIRD starts with, until the routed network writes its own. Never write it over an existing file: a
 * BIRD that restarts must find its sessions.
 */
export function initialBirdConfig(routerId: string): string {
  return renderBirdConfig({
    routerId,
    log: { target: 'stderr', classes: ['info', 'remote', 'warning', 'error', 'auth', 'fatal', 'bug'] },
    gracefulRestartWaitSeconds: 15,
    filters: [],
    protocols: [{ protocol: 'device', scanSeconds: 2 }],
  })
}
