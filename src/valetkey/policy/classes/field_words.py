"""The names of arguments by which a tool gives away what it does. Data: how they are weighed is in `classify`."""

from __future__ import annotations

from typing import Final

from valetkey.policy.classes.lexicon import vocabulary

HIGH: Final = vocabulary(
    "delete remove purge destroy drop overwrite sql command cmd script code shell recipient recipients bcc cc",
    "to_email to_number phone_number_to permission permissions role_to_grant grant expression javascript",
    "statement statements commands args_exec sudo password",
)
RUN: Final = vocabulary(
    # What runs as it stands, whatever its name says.
    "sql command commands cmd script shell javascript statement statements args_exec sudo delete overwrite purge",
)
OF_A_CODE: Final = vocabulary(
    # Who is sent one of these completes by it what somebody else began: a charge, a change of an address.
    "otp otp_code one_time_password one_time_code verification_code passcode mfa_code two_factor_code sms_code tan",
)
OF_AN_ACT: Final = vocabulary("confirm confirmed confirmation confirmation_token dry_run dryrun")
"""Arguments that nobody needs who only reads."""
OF_RECORDS: Final = vocabulary("collection collection_name collection_path table table_name tablename index_name")
"""Arguments that say in which set of records of a database."""
SPENT: Final = vocabulary("amount amounts bid bids budget spend discount payout salary fee tip wage")
"""Words of arguments that are sums of money: who takes one, and does not only read, spends or promises it."""
OPENING: Final = vocabulary(
    # What a tool that writes opens to others by them: publishing, forwarding, rights.
    "public is_public publicly publish forward forward_to forwarding auto_forward external_access anyone_can admin",
    "is_admin role_id owner_id new_owner transfer_user_id",
)
OF_MACHINES: Final = vocabulary(
    # Who takes one of these changes a machine, a network or a database, whatever people may write together there.
    "cluster cluster_id cluster_name namespace instance_id instance_ids bucket bucket_name droplet_id vm_id vmid",
    "node_id replicas cidr security_group security_group_id subnet subnet_id vpc_id arn role_arn",
    "kubeconfig deployment_id database_id environment_variables env_vars firewall_id zone_id server_id",
    "container_id hostname datastore_id datastore keyspace queue_url topic_arn stack_id machine_id app_name",
)
RIGHTS: Final = vocabulary("permission permissions acl privilege privileges recipients recipient")
VERTICAL: Final = vocabulary(
    "iban bic swift payee beneficiary payout account_number routing_number card_number cvv stop_price limit_price",
    "time_in_force notional slippage payment_method destination_account private_key mnemonic dosage policy_number",
    "token_address contract_address wallet_address destination_address spender_address receiver_address",
    "patient patient_id mrn npi icd10 icd_code cpt_code dose medication medication_id rx_number claim_number policy_no",
    "stop_loss take_profit order_type sort_code vpa upi_id card_token payment_intent payment_intent_id leverage",
    "bank_code bank_account account_bank cvc strike_price option_type trailing_percent payment_token expiry_month",
    "payment_source_id signer_email signer_name signatories insured_id claimant policyholder diagnosis diagnosis_code",
    "prescription_id ndc loinc snomed",
    "betrag importe montant monto importo bedrag valor_pago",
    "claim_amount signer signers signature recipient_wallet from_wallet to_wallet lamports wei",
)
MONEY: Final = vocabulary(
    "amount currency price total qty quantity unit_price value_usd amount_money",
)
FREE: Final = vocabulary(
    "text body message content comment description subject title url uri link webhook callback prompt input data",
    "query html markdown note payload to recipient recipients email emails phone amount address path file",
    "instructions name value values params arguments args body_text request",
)
