// A certified OpenID provider with people in it: oidc-provider, driven headless. Whoever comes is Ada.
// Arguments: path of oidc-provider's entry, port, client id, client secret, the address to come back to.
import http from 'node:http';

const [entry, port, clientId, clientSecret, callback] = process.argv.slice(2);
const { default: Provider } = await import(entry);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [callback], application_type: 'web' }],
  scopes: ['openid', 'email', 'profile'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (_context, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' }),
  }),
  features: { devInteractions: { enabled: false } },
});

async function agree(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: '00u-ada' } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid email profile');
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, {
    mergeWithLastSubmission: true,
  });
}

const serve = provider.callback();
http
  .createServer((request, response) => {
    if (!request.url.startsWith('/interaction/')) return serve(request, response);
    return agree(request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  })
  .listen(Number(port), '127.0.0.1', () => console.log('listening'));
