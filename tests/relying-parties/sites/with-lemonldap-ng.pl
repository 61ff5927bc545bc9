# LemonLDAP::NG, of Debian, as a broker: its portal logs people in at the provider, and its handler lets them into an
# application, which knows the portal only.

use strict;
use warnings;

package Application;

use parent "Lemonldap::NG::Handler::PSGI";

sub init {
    my ($self, $args) = @_;
    $self->protection("authenticate");
    return $self->SUPER::init($args);
}

sub handler {
    my ($self, $request) = @_;
    my $person = $request->userData;
    my %told = (sub => $person->{uid}, name => $person->{cn}, access_token => $person->{_oidc_access_token});
    return $self->sendJSONresponse($request, \%told);
}

package main;

use File::Temp qw(tempdir);
use HTTP::Server::PSGI;
use IO::Socket::INET;
use JSON;
use LWP::UserAgent;
use Plack::Builder;

my ($issuer, $origin) = @ENV{qw(ISSUER ORIGIN)};
my $host = $origin =~ s{^https://}{}r;
my $portal = "$origin/portal/";
$ENV{PERL_LWP_SSL_CA_FILE} = $ENV{SSL_CERT_FILE};

sub keep {
    my ($path, $text) = @_;
    open(my $file, ">", $path) or die "$path: $!";
    print $file $text;
    close($file);
}

my $directory = tempdir(TMPDIR => 1);
mkdir "$directory/$_" for qw(conf sessions locks);
# It takes discovery as a text.
my $discovery = LWP::UserAgent->new->get("$issuer/.well-known/openid-configuration")->decoded_content;
my %options = (
    ClientID => $ENV{CLIENT_ID},
    ClientSecret => $ENV{CLIENT_SECRET},
    Scope => "openid profile",
    TokenEndpointAuthMethod => "client_secret_post",
    CheckJWTSignature => 1,
    JWKSTimeout => 3600,
    IDTokenMaxAge => 30,
    UseNonce => 1,
    StoreIDToken => 1,
);
my %storage = (Directory => "$directory/sessions", LockDirectory => "$directory/locks");
keep("$directory/conf/lmConf-1.json", encode_json({
    cfgNum => 1,
    cfgDate => time,
    key => "of this site alone",
    domain => $host,
    locationRules => { $host => { default => "accept" } },
    portal => $portal,
    securedCookie => 1,
    authentication => "OpenIDConnect",
    userDB => "Same",
    passwordDB => "Null",
    registerDB => "Null",
    globalStorage => "Apache::Session::File",
    globalStorageOptions => \%storage,
    exportedVars => {},
    oidcOPMetaDataJSON => { wechat => $discovery },
    # None of any time, so that it fetches them now.
    oidcOPMetaDataJWKS => { wechat => '{"keys":[],"time":0}' },
    oidcOPMetaDataOptions => { wechat => { map { ("oidcOPMetaDataOptions$_" => $options{$_}) } keys %options } },
    oidcOPMetaDataExportedVars => { wechat => { uid => "sub", cn => "name" } },
}));
$ENV{LLNG_DEFAULTCONFFILE} = "$directory/lemonldap-ng.ini";
keep($ENV{LLNG_DEFAULTCONFFILE}, <<"INI");
[all]
logLevel = error
[configuration]
type = File
dirName = $directory/conf
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
INI

# The environment says by now where the configuration is.
require Lemonldap::NG::Portal::Main;
my $brokered = Lemonldap::NG::Portal::Main->run({});
my $application = Application->run({});

# Who logs in again has left the broker, and is asked about at the provider.
my $forget = "lemonldap=; Path=/; Max-Age=0; Secure; HttpOnly";
my $site = builder {
    mount "/portal" => $brokered;
    mount "/login" => sub { [302, [location => "$origin/", "set-cookie" => $forget], []] };
    mount "/logout" => sub { [302, [location => "$portal?logout=1"], []] };
    mount "/" => $application;
};
my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die $!;
my $port = $free->sockport;
close($free);
my $behind_a_proxy = sub {
    my $environment = shift;
    return $site->({ %$environment, HTTPS => "on", "psgi.url_scheme" => "https", HTTP_HOST => $host, SERVER_PORT => 443 });
};
$| = 1;
my $server = HTTP::Server::PSGI->new(host => "127.0.0.1", port => $port, server_ready => sub { print "$port\n" });
$server->run($behind_a_proxy);
