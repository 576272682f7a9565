import { defer } from '../base/clock.ts'
import { OvsdbConnectionError } from './errors.ts'
import type { JsonRpc } from './jsonrpc.ts'

/** What a server says of its copy of a database, in its database `_Server`. */
interface Member {
  readonly model?: string
  readonly connected?: boolean
  readonly leader?: boolean
}

const monitorId = 'membership'

/**
 * Follows whether a server can serve a database: a member of a cluster (RAFT) that has lost the others answers with
 * what was, and only the leader knows the newest. Resolves when it can; ends the connection when it no longer can, so
 * that another member is tried. A server that stands alone always can. Throws OvsdbConnectionError.
 */
export async function requireMember(
  rpc: JsonRpc,
  { database, isLeaderOnly }: { database: string; isLeaderOnly: boolean },
): Promise<void> {
  let member: Member = {}
  const check = (): string | undefined => problemOf(member, isLeaderOnly)
  const synced = defer()
  rpc.notifications.on(({ method, params }) => {
    if (method !== 'update2' || params[0] !== monitorId) return
    member = { ...member, ...changeIn(params[1]) }
    const problem = check()
    if (problem !== undefined) void synced.promise.then(() => rpc.close(problem))
  })
  // Without it a server ends every connection when it becomes, or ceases to be, a member.
  await rpc.request('set_db_change_aware', [true])
  const columns = ['name', 'model', 'connected', 'leader']
  const request = { Database: [{ columns, where: [['name', '==', database]] }] }
  member = changeIn(await rpc.request('monitor_cond', ['_Server', monitorId, request]))
  const problem = check()
  if (problem !== undefined) throw new OvsdbConnectionError(`${database}: ${problem}`)
  synced.resolve()
}

function problemOf({ model, connected, leader }: Member, isLeaderOnly: boolean): string | undefined {
  if (model !== 'clustered') return undefined
  if (connected === false) return 'the server has lost the other members of its cluster'
  return isLeaderOnly && leader === false ? 'the server is not the leader of its cluster' : undefined
}

/** The last word of an update about the one row that is monitored. */
function changeIn(updates: unknown): Member {
  const rows = Object.values((updates as { Database?: object } | null)?.Database ?? {}) as {
    initial?: Member
    insert?: Member
    modify?: Member
  }[]
  const [row] = rows
  const whole = row?.initial ?? row?.insert
  // A new row's columns are left out where they have their default.
  return whole === undefined ? (row?.modify ?? {}) : { connected: false, leader: false, ...whole }
}
