-- One customer in the form of the read API, deleted or not. $1 account, $2 livemode, $3 id.
SELECT billing_object('customer', to_jsonb(b)) FROM billing_customer b WHERE b.account = $1 AND b.livemode = $2::text::boolean AND b.id = $3
