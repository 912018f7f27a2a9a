// A certified authorization server with one person in it, who agrees to everything: oidc-provider, driven headless.
// Arguments: path of oidc-provider's entry, port, the resource it gives tokens for, how clients prove who they are.
import http from 'node:http';

const [entry, port, resource, ...methods] = process.argv.slice(2);
const { default: Provider } = await import(entry);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  ...(methods.length && { clientAuthMethods: methods }),
  scopes: ['openid', 'offline_access', 'notes:read', 'notes:write'],
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  clientDefaults: { id_token_signed_response_alg: 'RS256' },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: 300, Grant: 3600, RefreshToken: 3600, Session: 3600, Interaction: 600 },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => resource,
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => ({
        scope: 'notes:read notes:write',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

async function agree(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  for (const scope of prompt.details.missingOIDCScope ?? []) grant.addOIDCScope(scope);
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
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
