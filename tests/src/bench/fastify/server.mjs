// The peer of `make bench accounts`: the same profile by the same query behind the same tokens, as the documentations
// of Fastify, @fastify/jwt (verified tokens cached) and node-postgres (pool, prepared statement) advise.
import { createPublicKey } from 'node:crypto'
import Fastify from 'fastify'
import jwt from '@fastify/jwt'
import pg from 'pg'

const { keys } = await (await fetch(process.env.JWKS_URL)).json()
const publicKey = createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' })
const pool = new pg.Pool({ max: Number(process.env.POOL) })

// As in cloud-api/src/domains/users/store.rs.
const PROFILE = {
  name: 'profile',
  text: `SELECT users.id, email, email_verified_at IS NOT NULL AS is_email_verified, name, role,
                CASE WHEN plan_ends_at <= $2 THEN 'free' ELSE plan END AS plan,
                first_name, last_name, date_of_birth, gender, fitness_level, bio, location, time_zone,
                (SELECT files.id FROM files WHERE owner_id = users.id AND files.kind = 'avatar') AS avatar_id,
                users.created_at, last_login_at
         FROM users LEFT JOIN user_profiles ON user_id = users.id WHERE users.id = $1`
}

const text = { type: 'string' }
const maybe = { type: 'string', nullable: true }
const response = {
  200: {
    type: 'object',
    properties: {
      id: text, email: text, is_email_verified: { type: 'boolean' }, name: text, role: text, plan: text,
      first_name: maybe, last_name: maybe, date_of_birth: maybe, gender: maybe, fitness_level: maybe, bio: maybe,
      location: maybe, time_zone: maybe, avatar_id: maybe, created_at: text, last_login_at: maybe
    }
  }
}

const app = Fastify()
app.register(jwt, {
  secret: { public: publicKey },
  verify: { algorithms: ['EdDSA'], allowedIss: 'gymwire', allowedAud: 'gymwire-api', cache: true }
})
app.decorate('authenticate', async (request) => { await request.jwtVerify() })
app.after(() => {
  app.get('/api/v1/users/profile', { onRequest: [app.authenticate], schema: { response } }, async (request, reply) => {
    const found = await pool.query({ ...PROFILE, values: [request.user.sub, new Date()] })
    return found.rows[0] ?? reply.code(404).send({ code: 'not_found' })
  })
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
