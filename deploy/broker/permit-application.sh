#!/bin/sh
# Gives an application a user of RabbitMQ that may submit jobs and hear the events of its own account, and nothing else.
#   deploy/broker/permit-application.sh <user> <account> [vhost]        (where rabbitmqctl works)
# The account's brokerUser must then be set to <user>, among all else that the account has: `waypost account set` replaces it.
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 <user> <account> [vhost]" >&2
  exit 2
fi
user=$1 account=$2 vhost=${3:-/}

case $account in
  '' | *[!a-z0-9-]*) echo "an account is named [a-z0-9][a-z0-9-]{0,62}" >&2; exit 2 ;;
esac
case $user in
  '' | *[!A-Za-z0-9_-]*) echo "a user is named [A-Za-z0-9_-]+" >&2; exit 2 ;;
esac

if ! rabbitmqctl -q list_users </dev/null | cut -f1 | grep -qx "$user"; then
  # The password is read from standard input, not from the command line.
  rabbitmqctl -q add_user "$user"
fi

# Queues of its own begin with `app.<user>.`; it may write to waypost.submissions and read (bind from) waypost.events.
# Not to the default exchange: through that every mailbox of Waypost could be written to.
own="app\\.$user\\..*"
rabbitmqctl -q set_permissions -p "$vhost" "$user" \
  "^$own\$" \
  "^($own|waypost\\.submissions)\$" \
  "^($own|waypost\\.events)\$"

# Binding keys on the topic exchange must begin with the account: acme.#, acme.delivered.ok, acme.bounced.*
rabbitmqctl -q set_topic_permissions -p "$vhost" "$user" waypost.events '^$' "^$account\\..+\$"
echo "$user may submit as the account whose brokerUser it is, and hear the events of $account"
